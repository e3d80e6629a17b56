//! Settings.

use std::time::Duration;

/// Settings of a [`UsageRecorder`](crate::UsageRecorder).
#[derive(Clone, Debug)]
pub struct UsageConfig {
    /// How far back counts go by the minute, in hours; farther back they go by the hour.
    pub fine_hours: u64,
    /// How far back they go at all, in hours.
    pub retention_hours: u64,
    /// Most bytes that minutes and hours which are over may take in memory; the oldest make room.
    pub max_bytes: usize,
    /// How often counts are written to the store, in milliseconds.
    pub flush_every_ms: u64,
    /// Most events that wait for a slow reader of the live feed; the oldest are lost.
    pub live_capacity: usize,
    /// What is kept apart in each minute and hour.
    pub limits: UsageLimits,
    /// Whether the words of searches are remembered, in memory.
    pub queries: bool,
    /// Whether they go into the store, too.
    pub store_queries: bool,
}

/// How many of each are kept apart in one period; all others share `other`, and queries beyond are left out.
#[derive(Clone, Copy, Debug)]
pub struct UsageLimits {
    /// Tools.
    pub tools: usize,
    /// Servers.
    pub servers: usize,
    /// Sessions.
    pub sessions: usize,
    /// Callers.
    pub callers: usize,
    /// Queries without a match; pairs of a query and the tool that it led to.
    pub queries: usize,
}

impl Default for UsageLimits {
    fn default() -> Self {
        Self { tools: 2000, servers: 500, sessions: 200, callers: 200, queries: 500 }
    }
}

impl Default for UsageConfig {
    fn default() -> Self {
        Self {
            fine_hours: 3,
            retention_hours: 30 * 24,
            max_bytes: 32 * 1024 * 1024,
            flush_every_ms: 30_000,
            live_capacity: 1024,
            limits: UsageLimits::default(),
            queries: true,
            store_queries: false,
        }
    }
}

impl UsageConfig {
    /// The longest window that a report may have.
    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_hours.max(1) * 60 * 60)
    }
}
