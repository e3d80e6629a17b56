//! Times as the wire has them.

use std::time::{SystemTime, UNIX_EPOCH};

/// RFC 3339 in UTC with milliseconds: `2026-11-22T10:00:00.123Z`.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    // The crate formats the years 1970 to 9999 only.
    let last = UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(time.clamp(UNIX_EPOCH, last)).to_string()
}

/// Unix time in seconds, as a float.
pub(crate) fn unix_float(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Whole milliseconds are exact in a double for many thousand years.
    since.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_times() {
        let time = UNIX_EPOCH + Duration::from_millis(1_764_000_000_007);
        assert_eq!(serde_json::to_string(&unix_float(time)).expect("a number"), "1764000000.007");
        assert_eq!(rfc3339(time), "2025-11-24T16:00:00.007Z");
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
        rfc3339(UNIX_EPOCH + Duration::from_secs(1 << 40));
    }
}
