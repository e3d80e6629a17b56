//! What can be set.

/// The bounds of a [`Memory`](crate::Memory). What drives the ranking is not set here: see `lift`, where the numbers
/// and where they come from stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Most tools that are remembered; where one more comes, the one whose last use is longest ago goes.
    pub max_tools: usize,
    /// Most uses of one tool that are remembered. With the defaults and the longest queries the whole memory takes
    /// some 50 MiB; a tool that is used as usual some kilobytes.
    pub max_uses: usize,
    /// A use counts half after so many days.
    pub half_life_days: u32,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { max_tools: 20_000, max_uses: 16, half_life_days: 90 }
    }
}
