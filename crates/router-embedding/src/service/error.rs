//! HTTP's failures and the service's refusals → ours.
//!
//! Nothing that a service writes is shown: it may repeat the key or the texts.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, Retry};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use http_body_util::LengthLimitError;

/// The request did not get there, or nothing came back.
pub(super) fn unreached(source: hyper_util::client::legacy::Error) -> Error {
    let (kind, what) = match source.is_connect() {
        true => (ErrorKind::Unavailable, "embed: the service cannot be reached: is `base_url` right?"),
        false => (ErrorKind::UpstreamFailed, "embed: the service closed the connection"),
    };
    Error::new(kind, what).with_retry(Retry::Safe).with_source(source)
}

/// The answer broke off, or is too large.
pub(super) fn unread(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match source.is::<LengthLimitError>() {
        true => unexpected("it is larger than any set of vectors"),
        false => Error::new(ErrorKind::UpstreamFailed, "embed: the service's answer broke off")
            .with_retry(Retry::Safe)
            .with_source(source),
    }
}

/// There was no answer in time.
pub(super) fn late(limit: Duration) -> Error {
    let message = format!("embed: the service did not answer within {} ms", limit.as_millis());
    Error::new(ErrorKind::UpstreamTimeout, message).with_retry(Retry::Safe)
}

/// What came is no answer to what was asked.
pub(super) fn unexpected(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::UpstreamFailed, format!("embed: the service's answer cannot be used: {what}"))
}

/// The service answered with a `status` of failure.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap) -> Error {
    let (kind, retry, remedy) = match status.as_u16() {
        401 => (ErrorKind::Unauthenticated, Retry::Never, ": is `api_key` right?"),
        402 | 403 => (ErrorKind::Forbidden, Retry::Never, ": the key may not use this model"),
        404 => (ErrorKind::NotFound, Retry::Never, ": are `base_url` and `model` right?"),
        429 => (ErrorKind::RateLimited, Retry::Safe, ": too many requests"),
        408 | 500.. => (ErrorKind::Unavailable, Retry::Safe, ""),
        300..=399 => {
            (ErrorKind::UpstreamFailed, Retry::Never, ": redirects are not followed, give the last `base_url`")
        }
        _ => (ErrorKind::InvalidRequest, Retry::Never, ": are `model`, `dimensions` and `max_text_bytes` right?"),
    };
    let error = Error::new(kind, format!("embed: the service answered {}{remedy}", status.as_u16())).with_retry(retry);
    match retry_after(headers) {
        Some(milliseconds) if retry == Retry::Safe => error.with_retry_after_ms(milliseconds),
        _ => error,
    }
}

/// `retry-after` in seconds, as milliseconds. (As a date it is no help, since clocks differ.)
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    seconds.checked_mul(1_000)
}
