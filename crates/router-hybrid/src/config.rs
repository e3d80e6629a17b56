//! What can be set.

/// The settings of a [`HybridRouter`](crate::HybridRouter).
#[derive(Clone, Debug, PartialEq)]
pub struct HybridConfig {
    /// Where the best match, seen by the caller or not, scores less than this, 0..=1, nothing fits and there is no
    /// answer. At the default half of the questions that no tool answers find nothing, and of the development sets'
    /// right first answers one in a thousand is lost.
    pub abstain_below: f32,
    /// Matches that score less than this, 0..=1, are left out, whatever the best one scores.
    pub floor: f32,
    /// How many matches of each part are fused at least.
    pub depth: usize,
}

impl Default for HybridConfig {
    fn default() -> Self {
        Self { abstain_below: 0.025, floor: 0.0005, depth: 100 }
    }
}
