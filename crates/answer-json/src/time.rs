//! The time of an answer.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in seconds and milliseconds, as a JSON number: `1764000000.123`.
pub fn unix_seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_milliseconds() {
        assert_eq!(unix_seconds(UNIX_EPOCH + Duration::from_millis(1_764_000_000_007)), "1764000000.007");
        assert_eq!(unix_seconds(UNIX_EPOCH - Duration::from_secs(1)), "0.000");
    }
}
