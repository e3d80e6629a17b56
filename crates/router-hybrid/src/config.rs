//! What can be set.

/// The settings of a [`HybridRouter`](crate::HybridRouter).
#[derive(Clone, Debug, PartialEq)]
pub struct HybridConfig {
    /// Where the best match scores less than this, 0..=1, nothing fits and there is no answer. At the default, two of
    /// three questions that no tool answers find nothing, and of the development sets' right first answers four in a
    /// thousand are lost. At 0, parts that know words by their pieces find something for most nonsense. Only visible
    /// tools count: where the one that fits is hidden, there may be no answer, and not the next one.
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
