//! The breaker round calls.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, Retry, ServerState};
use tokio::time::Instant;

use super::BreakerConfig;
use super::state::{Breaker, Outcome};
use crate::per_server::PerServer;

/// Leaves a server alone that fails again and again: its calls fail at once, until after a
/// cool-down one call may try it.
///
/// What counts is a server that is connected and does not answer in time, breaks the protocol or loses
/// the connection. A tool that fails, a JSON-RPC error and a caller that goes away do not: such a
/// server works. A server that is not connected does not either, since the engine spaces the attempts to
/// reach it and answers at once in between.
#[derive(Debug)]
pub struct BreakerLayer {
    config: BreakerConfig,
}

impl BreakerLayer {
    /// The layer with these settings.
    pub fn new(config: BreakerConfig) -> Self {
        Self { config }
    }
}

impl Layer for BreakerLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Breaking { inner, config: self.config, breakers: PerServer::default() })
    }
}

#[derive(Debug)]
struct Breaking {
    inner: Arc<dyn Invoke>,
    config: BreakerConfig,
    breakers: PerServer<Breaker>,
}

#[async_trait]
impl Invoke for Breaking {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let breaker = self.breakers.of(&call.server, |_| Breaker::new(self.config));
        let pass = match breaker.pass(Instant::now()) {
            Ok(pass) => pass,
            Err(wait) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                return Err(left_alone(call, wait_ms));
            }
        };
        let answer = self.inner.invoke(context, call).await;
        pass.end(judge(answer.as_ref().err(), call.server.state()));
        answer
    }
}

/// What the answer to a call shows of its server.
fn judge(error: Option<&Error>, state: ServerState) -> Outcome {
    let Some(error) = error else { return Outcome::Success };
    match error.kind() {
        ErrorKind::UpstreamTimeout => Outcome::Failure,
        // A JSON-RPC error has the server's error object: a server that answers works.
        ErrorKind::UpstreamFailed if error.details().is_some() => Outcome::Success,
        ErrorKind::UpstreamFailed => Outcome::Failure,
        ErrorKind::Unavailable if matches!(state, ServerState::Ready | ServerState::Degraded) => Outcome::Failure,
        ErrorKind::InvalidArguments => Outcome::Success,
        ErrorKind::Unavailable
        | ErrorKind::InvalidRequest
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::TooLarge
        | ErrorKind::RateLimited
        | ErrorKind::Cancelled
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Internal => Outcome::Unknown,
    }
}

fn left_alone(call: &Call, wait_ms: u64) -> Error {
    let name = call.server.spec().name();
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "cannot call server `{name}`: it failed several times in a row and is left alone for another {wait_ms} ms"
        ),
    )
    .with_retry(Retry::Safe)
    .with_retry_after_ms(wait_ms)
}

#[cfg(test)]
mod tests {
    use gateway_core::RawJson;

    use super::*;

    #[test]
    fn only_what_the_server_did_counts() {
        let check = |error: Error, state: ServerState, expected: Outcome| {
            assert_eq!(judge(Some(&error), state), expected, "{error:?} while {state:?}");
        };
        let error = |kind| Error::new(kind, "x");
        let answered = error(ErrorKind::UpstreamFailed).with_details(RawJson::empty_object());
        check(answered, ServerState::Ready, Outcome::Success);
        check(error(ErrorKind::InvalidArguments), ServerState::Ready, Outcome::Success);
        check(error(ErrorKind::UpstreamFailed), ServerState::Ready, Outcome::Failure);
        check(error(ErrorKind::UpstreamTimeout), ServerState::Degraded, Outcome::Failure);
        check(error(ErrorKind::Unavailable), ServerState::Ready, Outcome::Failure);
        check(error(ErrorKind::Unavailable), ServerState::BackingOff, Outcome::Unknown);
        check(error(ErrorKind::DeadlineExceeded), ServerState::Ready, Outcome::Unknown);
        check(error(ErrorKind::Cancelled), ServerState::Ready, Outcome::Unknown);
        assert_eq!(judge(None, ServerState::Ready), Outcome::Success);
    }
}
