//! Second attempts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, Retry};
use rand::RngExt as _;
use tokio::time::{self, Instant};

/// Longest wait for a server that says when to come again; for a longer one the caller decides.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Settings of [`RetryLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RetryConfig {
    /// Most attempts after the first one.
    pub max_retries: u32,
    /// Pause before the second attempt, in milliseconds; it doubles with every further one, and a
    /// random part of up to a half is taken off.
    pub pause_ms: u64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { max_retries: 2, pause_ms: 50 }
    }
}

/// Sends a call again where that can do no harm: the server has surely not seen it, or it calls a
/// tool that declares itself idempotent. Never past the caller's deadline, and never after a
/// time-out: a server that is too slow is not helped by more work.
#[derive(Debug)]
pub struct RetryLayer {
    config: RetryConfig,
}

impl RetryLayer {
    /// The layer with these settings.
    pub fn new(config: RetryConfig) -> Self {
        Self { config }
    }
}

impl Layer for RetryLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Retrying { inner, config: self.config })
    }
}

#[derive(Debug)]
struct Retrying {
    inner: Arc<dyn Invoke>,
    config: RetryConfig,
}

#[async_trait]
impl Invoke for Retrying {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let is_idempotent = call.is_idempotent();
        let mut attempt = 0;
        loop {
            let error = match self.inner.invoke(context, call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = pause(self.config, attempt, &error, is_idempotent);
            let Some(pause) = pause.filter(|&pause| ends_before(pause, context.deadline())) else {
                return Err(error);
            };
            tracing::debug!(server = call.server.spec().name(), ?error, ?pause, "trying the call again");
            time::sleep(pause).await;
            attempt += 1;
        }
    }
}

/// How long to wait before the next attempt; `None` where there must be none. `attempt` counts from 0.
fn pause(config: RetryConfig, attempt: u32, error: &Error, is_idempotent: bool) -> Option<Duration> {
    let harmless = match error.retry() {
        Retry::Never => false,
        Retry::IfIdempotent => is_idempotent,
        Retry::Safe => true,
    };
    let timed_out = matches!(error.kind(), ErrorKind::UpstreamTimeout | ErrorKind::DeadlineExceeded);
    if attempt >= config.max_retries || !harmless || timed_out {
        return None;
    }
    let longest = Duration::from_millis(config.pause_ms).saturating_mul(1_u32.checked_shl(attempt)?);
    let pause = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
    let asked_for = Duration::from_millis(error.retry_after_ms().unwrap_or(0));
    Some(pause.min(LONGEST_PAUSE).max(asked_for)).filter(|&pause| pause <= LONGEST_PAUSE)
}

fn ends_before(pause: Duration, deadline: Option<Instant>) -> bool {
    deadline.is_none_or(|deadline| Instant::now() + pause < deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: RetryConfig = RetryConfig { max_retries: 2, pause_ms: 100 };

    fn error(kind: ErrorKind, retry: Retry) -> Error {
        Error::new(kind, "x").with_retry(retry)
    }

    #[test]
    fn retries_only_what_can_do_no_harm() {
        let check = |kind, retry, is_idempotent, expected: bool| {
            let pause = pause(CONFIG, 0, &error(kind, retry), is_idempotent);
            assert_eq!(pause.is_some(), expected, "{kind:?} {retry:?} idempotent: {is_idempotent}");
        };
        check(ErrorKind::Unavailable, Retry::Safe, false, true);
        check(ErrorKind::UpstreamFailed, Retry::IfIdempotent, true, true);
        check(ErrorKind::UpstreamFailed, Retry::IfIdempotent, false, false);
        check(ErrorKind::UpstreamFailed, Retry::Never, true, false);
        check(ErrorKind::UpstreamTimeout, Retry::IfIdempotent, true, false);
        check(ErrorKind::DeadlineExceeded, Retry::Safe, true, false);
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let error = error(ErrorKind::Unavailable, Retry::Safe);
        let first = pause(CONFIG, 0, &error, false).expect("a first retry");
        let second = pause(CONFIG, 1, &error, false).expect("a second one");
        assert!((50..=100).contains(&first.as_millis()), "{first:?}");
        assert!((100..=200).contains(&second.as_millis()), "{second:?}");
        assert_eq!(pause(CONFIG, 2, &error, false), None);
    }

    #[test]
    fn a_server_that_says_when_is_believed_if_it_is_soon() {
        let soon = error(ErrorKind::Unavailable, Retry::Safe).with_retry_after_ms(800);
        assert_eq!(pause(CONFIG, 0, &soon, false), Some(Duration::from_millis(800)));
        let late = error(ErrorKind::Unavailable, Retry::Safe).with_retry_after_ms(60_000);
        assert_eq!(pause(CONFIG, 0, &late, false), None);
    }
}
