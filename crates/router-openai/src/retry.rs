//! When a model is asked again.

use std::time::Duration;

use gateway_core::{Error, Retry};
use rand::RngExt as _;

/// Before the second attempt; it doubles with every further one, and a random part of up to a half is taken off.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How long to wait before the next attempt; `None` where there must be none. `attempt` counts from 0.
pub(crate) fn pause(max_retries: u32, attempt: u32, error: &Error) -> Option<Duration> {
    if attempt >= max_retries || error.retry() != Retry::Safe {
        return None;
    }
    let longest = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
    let pause = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
    Some(pause.max(Duration::from_millis(error.retry_after_ms().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use gateway_core::ErrorKind;

    use super::*;

    fn error(retry: Retry) -> Error {
        Error::new(ErrorKind::RateLimited, "x").with_retry(retry)
    }

    #[test]
    fn pauses_grow_and_end() {
        let within = |attempt, range: std::ops::RangeInclusive<u128>| {
            let pause = pause(3, attempt, &error(Retry::Safe)).expect("a pause").as_millis();
            assert!(range.contains(&pause), "{attempt}: {pause}");
        };
        within(0, 125..=250);
        within(1, 250..=500);
        within(2, 500..=1_000);
        assert_eq!(pause(3, 3, &error(Retry::Safe)), None);
        assert!(pause(u32::MAX, 1_000, &error(Retry::Safe)).is_some());
    }

    #[test]
    fn what_the_provider_asks_for_is_kept() {
        let error = |ms| error(Retry::Safe).with_retry_after_ms(ms);
        assert_eq!(pause(1, 0, &error(7_000)), Some(Duration::from_secs(7)));
        assert!(pause(1, 0, &error(1)).expect("a pause") >= FIRST_PAUSE / 2);
        assert_eq!(pause(1, 0, &error(u64::MAX)), Some(Duration::from_millis(u64::MAX)));
    }

    #[test]
    fn what_cannot_be_mended_is_not_tried_again() {
        assert_eq!(pause(3, 0, &error(Retry::Never)), None);
        assert_eq!(pause(3, 0, &error(Retry::IfIdempotent)), None);
    }
}
