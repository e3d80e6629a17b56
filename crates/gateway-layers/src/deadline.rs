//! Time limits.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, Retry};
use tokio::time::{self, Instant};

/// Ends a call that takes too long: at the caller's deadline, or when the server has used up its
/// `request_timeout_ms`, whichever is first. A `request_timeout_ms` of 0 sets no limit.
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
        let limit = call.server.spec().limits().request_timeout();
        // A limit beyond the end of time is none.
        let server_end = if limit.is_zero() { None } else { Instant::now().checked_add(limit) };
        let (end, is_callers) = match (context.deadline(), server_end) {
            (Some(caller), Some(server)) => (caller.min(server), caller <= server),
            (Some(caller), None) => (caller, true),
            (None, Some(server)) => (server, false),
            (None, None) => return self.inner.invoke(context, call).await,
        };
        match time::timeout_at(end, self.inner.invoke(context, call)).await {
            Ok(answer) => answer,
            Err(_) if is_callers => Err(caller_gave_up(call)),
            Err(_) => Err(server_too_slow(call)),
        }
    }
}

/// The caller's own limit passed while `call` was under way.
pub(crate) fn caller_gave_up(call: &Call) -> Error {
    let name = call.server.spec().name();
    Error::new(
        ErrorKind::DeadlineExceeded,
        format!("get an answer from server `{name}` within the caller's own time limit"),
    )
}

fn server_too_slow(call: &Call) -> Error {
    let spec = call.server.spec();
    let (name, limit) = (spec.name(), spec.limits().request_timeout_ms);
    Error::new(
        ErrorKind::UpstreamTimeout,
        format!("get an answer from server `{name}` within {limit} ms (its request_timeout_ms)"),
    )
    // It may be at work on the request still.
    .with_retry(Retry::IfIdempotent)
}
