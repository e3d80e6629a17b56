//! Minutes and hours, counted from the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const MINUTES_PER_HOUR: u64 = 60;

/// The minute in which `at` lies.
pub(crate) fn minute_of(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60
}

/// When a minute begins.
pub(crate) fn at_minute(minute: u64) -> SystemTime {
    // Far away is the end of time: a number may come from a broken chunk.
    UNIX_EPOCH.checked_add(Duration::from_secs(minute.saturating_mul(60))).unwrap_or(UNIX_EPOCH)
}

/// When an hour begins.
pub(crate) fn at_hour(hour: u64) -> SystemTime {
    at_minute(hour.saturating_mul(MINUTES_PER_HOUR))
}
