//! Why a message could not be carried.

use gateway_core::{Error, ErrorKind, RawJson, Retry};
use http::{HeaderMap, StatusCode};
use hyper_util::client::legacy;
use mcp_wire::{RpcError, http_refusal};

/// The request got no answer at all: [`ErrorKind::Unavailable`] where the gateway surely has not seen it,
/// [`ErrorKind::UpstreamFailed`] where nobody knows.
pub(crate) fn undelivered(error: legacy::Error, origin: &str) -> Error {
    let failure = if error.is_connect() {
        let message = format!("cannot reach the gateway at {origin}: {}", root_cause(&error));
        Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe)
    } else {
        broken(origin)
    };
    failure.with_source(error)
}

/// The connection broke while the answer was awaited or read.
pub(crate) fn broken(origin: &str) -> Error {
    let message = format!("cannot get an answer: the connection to the gateway at {origin} broke in the middle");
    Error::new(ErrorKind::UpstreamFailed, message).with_retry(Retry::IfIdempotent)
}

/// The gateway did what the protocol forbids.
pub(crate) fn protocol(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::UpstreamFailed, message)
}

/// A message of the gateway is longer than the limit.
pub(crate) fn too_large(limit: usize) -> Error {
    let message = format!("cannot read the answer: it is larger than relay.max_message_bytes ({limit})");
    Error::new(ErrorKind::UpstreamFailed, message)
}

/// The gateway refused the request; `said` is the error in its body, which is passed on where there is one.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, said: Option<RpcError>, origin: &str) -> Error {
    let facts = RawJson::parse(format!(r#"{{"status":{}}}"#, status.as_u16())).expect("a number makes JSON");
    match (status, said) {
        // What to do about it is known here, and not there.
        (StatusCode::UNAUTHORIZED, _) => {
            let message = format!(
                "cannot use the gateway at {origin}: it wants an API key (401); set GATEWAY_URL_API_KEY for this program"
            );
            Error::new(ErrorKind::Unauthenticated, message).with_details(facts)
        }
        (_, Some(said)) => Error::new(ErrorKind::UpstreamFailed, said.message).with_details(said.raw),
        (_, None) => http_refusal("MCP", status, headers).with_details(facts),
    }
}

/// The message of the last error in the chain, which is what a reader can act on.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
