//! What can be set.

/// The settings of a [`HybridRouter`](crate::HybridRouter).
#[derive(Clone, Debug, PartialEq)]
pub struct HybridConfig {
    /// Where the best match scores less than this, 0..=1, nothing fits and there is no answer. The default, 0, leaves
    /// that to callers, and then parts that know words by their pieces find something for most nonsense.
    pub abstain_below: f32,
    /// Matches that score less than this, 0..=1, are left out, whatever the best one scores.
    pub floor: f32,
    /// How many matches of each part are fused at least.
    pub depth: usize,
}

impl Default for HybridConfig {
    fn default() -> Self {
        Self { abstain_below: 0.04, floor: 0.0005, depth: 100 }
    }
}
