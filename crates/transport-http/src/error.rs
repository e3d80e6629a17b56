//! What the HTTP client reports, in the gateway's words.

use gateway_core::{Error, ErrorKind, Retry};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The server surely has not seen the request.
pub(crate) fn unreachable(source: impl Into<Source>) -> Error {
    let source = source.into();
    let message = format!("cannot reach the server: {}", root_cause(&*source));
    Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe).with_source(source)
}

/// The connection broke after the request was written, or while it was.
pub(crate) fn broken(source: Option<hyper::Error>) -> Error {
    let error =
        Error::new(ErrorKind::UpstreamFailed, "cannot get an answer: the connection to the server broke in the middle")
            .with_retry(Retry::IfIdempotent);
    match source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// A message of the server is larger than the limit.
pub(crate) fn too_large(limit: usize) -> Error {
    let message = format!("cannot read the answer: it is larger than `max_message_bytes` ({limit})");
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

/// We ended the connection ourselves. `written` says whether the server may have seen the request.
pub(crate) fn closed(written: bool) -> Error {
    let message = "cannot reach the server: the connection has been closed";
    if written {
        Error::new(ErrorKind::UpstreamFailed, message).with_retry(Retry::IfIdempotent)
    } else {
        Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe)
    }
}

/// The message of the last error in the chain, which is what an operator can act on.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
