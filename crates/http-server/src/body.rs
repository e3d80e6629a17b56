//! Reading request bodies.

use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use gateway_core::{Error, ErrorKind, Gateway, Result, nests_deeper};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use hyper::body::Body as _;

use crate::caller::{Caller, Page};
use crate::refusal::Refusal;

/// A body up to this length is read before the engine has admitted its sender; for a longer one, and one of
/// unknown length, the sender must show who they are first.
const STRANGERS_LIMIT: usize = 64 * 1024;

/// How long a refused body is read on, so that the sender hears the refusal.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// What a door bears of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Longest body, in bytes.
    pub bytes: usize,
    /// A body must have arrived after so many milliseconds.
    pub timeout_ms: u64,
    /// Deepest nesting of arrays and objects.
    pub nesting: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024 * 1024, timeout_ms: 30_000, nesting: 128 }
    }
}

impl BodyLimits {
    /// The same limits for a body of at most `bytes` bytes, where that is less.
    pub fn of_at_most(self, bytes: usize) -> Self {
        Self { bytes: self.bytes.min(bytes), ..self }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// Refuses a body that is not sent as JSON. A page of any origin may send forms and plain text without asking
/// first, so only JSON counts. A missing type is borne from programs; pages can leave it out, too.
///
/// # Errors
/// 415.
pub fn check_json_type(headers: &HeaderMap, page: Page) -> std::result::Result<(), Refusal> {
    let refusal = || {
        Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be JSON, sent with Content-Type: application/json",
        )
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) if page == Page::None => Ok(()),
        (Some(value), None) if value.to_str().is_ok_and(is_json) => Ok(()),
        _ => Err(refusal()),
    }
}

/// Reads a body to its end. Where it is long, or does not say how long it is, its sender must be admitted first.
/// The text, if it is JSON at all, is of a bearable depth; it is not parsed.
///
/// # Errors
/// Where the body is over a limit or breaks off, and what [`Caller::admit`] refuses.
pub async fn read_body(
    gateway: &Gateway,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
) -> Result<Bytes> {
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limits.bytes) {
        if !headers.contains_key(EXPECT) {
            // The client is sending already. Many read no answer before they are through.
            let drain = discard(body, limits.bytes);
            let _late = tokio::time::timeout(limits.timeout().min(DISCARD_TIME), drain).await;
        }
        return Err(too_large(limits.bytes));
    }
    if declared.is_none_or(|length| length > STRANGERS_LIMIT) && !body.is_end_stream() {
        caller.admit(gateway).await?;
    }
    let text = tokio::time::timeout(limits.timeout(), collect(body, limits.bytes)).await;
    let text = text.map_err(|_| {
        Error::new(ErrorKind::DeadlineExceeded, format!("the body did not arrive within {} ms", limits.timeout_ms))
    })??;
    if nests_deeper(&text, limits.nesting) {
        return Err(Error::new(
            ErrorKind::InvalidRequest,
            format!("the body nests arrays and objects deeper than {} levels", limits.nesting),
        ));
    }
    Ok(text)
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffix = subtype.len().checked_sub(5).and_then(|at| subtype.get(at..));
    kind.eq_ignore_ascii_case("application")
        && (subtype.eq_ignore_ascii_case("json")
            || suffix.is_some_and(|suffix| subtype.len() > 5 && suffix.eq_ignore_ascii_case("+json")))
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes> {
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(too_large(limit));
    }
    // Most bodies come in one piece and need no copy.
    if body.is_end_stream() {
        return Ok(first);
    }
    let expected = body.size_hint().lower().min(limit.min(1024 * 1024) as u64);
    let mut whole = BytesMut::with_capacity(first.len() + usize::try_from(expected).unwrap_or(0));
    whole.extend_from_slice(&first);
    while let Some(data) = next_data(&mut body).await? {
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads on for at most `limit` bytes.
async fn discard(mut body: Body, limit: usize) {
    let mut read = 0;
    while let Ok(Some(data)) = next_data(&mut body).await {
        read += data.len();
        if read > limit.saturating_mul(2) {
            return;
        }
    }
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "reading a request body failed");
                return Err(Error::new(ErrorKind::InvalidRequest, "the body could not be read to its end"));
            }
            Some(Ok(frame)) => {
                // Trailers say nothing here.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the body has more than {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_json_types() {
        for json in
            ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "application/json;"]
        {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "",
            "json",
            "text/json",
            "text/plain; application/json",
            "application/jsonp",
            "application/+json",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
