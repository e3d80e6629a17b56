//! Time limits.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, Retry, ServerLimits};
use tokio::time::{self, Instant};

/// Ends a call that takes too long: at the caller's deadline, or when the server has used up its
/// `request_timeout_ms`, whichever is first. A `request_timeout_ms` of 0 sets no limit.
///
/// Progress that the caller listens to begins the server's time anew, until it has had its
/// `max_request_timeout_ms` (MCP, "Timeouts"). The caller's own deadline stays where it is.
///
/// Ending a call drops it, so its server is told that it is cancelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadlineLayer {}

impl DeadlineLayer {
    /// The layer; it has no settings, since every limit comes with the call.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Layer for DeadlineLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Deadline { inner })
    }
}

#[derive(Debug)]
struct Deadline {
    inner: Arc<dyn Invoke>,
}

#[async_trait]
impl Invoke for Deadline {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let limits = call.server.spec().limits();
        let begun = Instant::now();
        let limit = limits.request_timeout();
        // A limit beyond the end of time is none.
        let mut server_end = if limit.is_zero() { None } else { begun.checked_add(limit) };
        let mut answer = pin!(self.inner.invoke(context, call));
        loop {
            let (end, is_callers) = match (context.deadline(), server_end) {
                (Some(caller), Some(server)) => (caller.min(server), caller <= server),
                (Some(caller), None) => (caller, true),
                (None, Some(server)) => (server, false),
                (None, None) => return answer.await,
            };
            match time::timeout_at(end, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) if is_callers => return Err(caller_gave_up(call)),
                Err(_) => {}
            }
            let later = after_progress(context, begun, limits).filter(|&later| later > end);
            if later.is_none() {
                return Err(server_too_slow(call, begun.elapsed()));
            }
            server_end = later;
        }
    }
}

/// When a call ends that has made progress, unless it makes more.
fn after_progress(context: &Context, begun: Instant, limits: &ServerLimits) -> Option<Instant> {
    let progress = context.listener()?.last_progress()?;
    let longest = begun.checked_add(limits.max_request_timeout());
    let end = progress.checked_add(limits.request_timeout())?;
    Some(longest.map_or(end, |longest| end.min(longest)))
}

/// The caller's own limit passed while `call` was under way.
pub(crate) fn caller_gave_up(call: &Call) -> Error {
    let name = call.server.spec().name();
    Error::new(
        ErrorKind::DeadlineExceeded,
        format!("server `{name}` gave no answer within the caller's own time limit"),
    )
}

fn server_too_slow(call: &Call, waited: Duration) -> Error {
    let spec = call.server.spec();
    let (name, limits) = (spec.name(), spec.limits());
    let longest = limits.max_request_timeout();
    let (limit, setting) = if waited >= longest && longest > limits.request_timeout() {
        (limits.max_request_timeout_ms, "max_request_timeout_ms, in spite of its progress")
    } else {
        (limits.request_timeout_ms, "request_timeout_ms")
    };
    Error::new(ErrorKind::UpstreamTimeout, format!("server `{name}` gave no answer within {limit} ms (its {setting})"))
        // It may be at work on the request still.
        .with_retry(Retry::IfIdempotent)
}
