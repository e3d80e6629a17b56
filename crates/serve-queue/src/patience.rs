//! A queue that is away is waited for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gateway_core::{Error, ErrorKind};
use rand::RngExt as _;
use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses that grow, each a little by chance, so that replicas do not come back all at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest = SHORTEST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Logs the begin and the end of each outage, and nothing between.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    pub(crate) fn failed(&self, queue: &str, error: &Error) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            *since = Some(Instant::now());
            tracing::warn!(queue, ?error, "the queue is away; the gateway waits for it");
        }
    }

    pub(crate) fn worked(&self, queue: &str) {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(since) = since {
            tracing::info!(queue, seconds = since.elapsed().as_secs(), "the queue is back");
        }
    }
}

/// Whether the same may be tried again a little later.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::UpstreamTimeout | ErrorKind::DeadlineExceeded | ErrorKind::RateLimited
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_end() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= SHORTEST && pauses[0] >= SHORTEST / 2);
        assert!(pauses[39] <= LONGEST && pauses[39] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.pause() <= SHORTEST);
    }
}
