//! What the HTTP client reports, in the gateway's words.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, Retry};
use hyper_util::client::legacy;

/// A message could not be sent, or its answer did not come.
pub(crate) fn unsent(error: legacy::Error) -> Error {
    if error.is_connect() {
        let message = format!("cannot reach the server: {}", root_cause(&error));
        return Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe).with_source(error);
    }
    let message = "cannot get an answer: the connection to the server broke in the middle";
    Error::new(ErrorKind::UpstreamFailed, message).with_retry(Retry::IfIdempotent).with_source(error)
}

/// The stream has come to its end, which ends the session.
pub(crate) fn stream_lost(source: Option<hyper::Error>) -> Error {
    let error = Error::new(ErrorKind::Unavailable, "cannot reach the server: its stream of events has ended")
        .with_retry(Retry::Safe);
    match source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// The server did not name its endpoint in time.
pub(crate) fn no_endpoint(patience: Duration) -> Error {
    let message = format!("cannot reach the server: it named no endpoint within {} ms", patience.as_millis());
    Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe)
}

/// The server did not take a message that wants no answer.
pub(crate) fn not_taken(patience: Duration) -> Error {
    let message = format!("cannot reach the server: it did not take a message within {} ms", patience.as_millis());
    Error::new(ErrorKind::UpstreamTimeout, message).with_retry(Retry::IfIdempotent)
}

/// A message of the server is larger than the limit.
pub(crate) fn too_large(limit: usize) -> Error {
    let message = format!("cannot read the server's stream: a message is larger than `max_message_bytes` ({limit})");
    Error::new(ErrorKind::UpstreamFailed, message)
}

/// The server did what the protocol forbids.
pub(crate) fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::UpstreamFailed, message)
}

/// The server has forgotten our session: a new handshake is needed, and the request was not run.
pub(crate) fn session_lost() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot reach the server: it has ended our session").with_retry(Retry::Safe)
}

/// We ended the connection ourselves.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot reach the server: the connection has been closed")
        .with_retry(Retry::Safe)
}

/// We ended the connection while a request was on its way.
pub(crate) fn closed_under_way() -> Error {
    Error::new(ErrorKind::UpstreamFailed, closed().message()).with_retry(Retry::IfIdempotent)
}

/// The message of the last error in the chain, which is what an operator can act on.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
