//! Reading request bodies.

use std::pin::Pin;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use gateway_core::ErrorKind;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, StatusCode};
use hyper::body::Body as _;
use serde::Deserialize;

use crate::caller::{Caller, Page};
use crate::door::Door;
use crate::nesting::nests_deeper;
use crate::problem::Problem;

/// A body up to this length is read before the engine has admitted its sender; for a longer one, and one of
/// unknown length, the sender must show who they are first.
const STRANGERS_LIMIT: usize = 64 * 1024;

/// Limit of bodies that hold only a few words.
pub(crate) const SMALL_LIMIT: usize = 64 * 1024;

/// Reads a JSON body of at most `limit` bytes. The text is JSON of a bearable depth, not yet parsed.
pub(crate) async fn read_json(door: &Door, caller: &Caller, request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    check_content_type(&parts.headers, caller.page)?;
    read(door, caller, &parts.headers, body, limit).await
}

/// Reads a JSON body that may be missing altogether.
pub(crate) async fn read_optional_json(
    door: &Door,
    caller: &Caller,
    request: Request,
    limit: usize,
) -> Result<Option<Bytes>, Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(None);
    }
    let text = read(door, caller, &parts.headers, body, limit).await?;
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    check_content_type(&parts.headers, caller.page)?;
    Ok(Some(text))
}

/// Parses a body into what the endpoint takes, which may borrow from it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a Bytes) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|error| {
        Problem::invalid(match error.classify() {
            serde_json::error::Category::Data => format!("the body is not what this endpoint takes: {error}"),
            _ => format!("the body is not valid JSON: {error}"),
        })
    })
}

/// A page of any origin may send forms and plain text without asking first, so only JSON counts. A missing
/// type is borne from programs; pages can leave it out, too.
fn check_content_type(headers: &HeaderMap, page: Page) -> Result<(), Problem> {
    let refusal = || {
        Problem::new(
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

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffix = subtype.len().checked_sub(5).and_then(|at| subtype.get(at..));
    kind.eq_ignore_ascii_case("application")
        && (subtype.eq_ignore_ascii_case("json")
            || suffix.is_some_and(|suffix| subtype.len() > 5 && suffix.eq_ignore_ascii_case("+json")))
}

async fn read(door: &Door, caller: &Caller, headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let limit = limit.min(door.config().body_limit_bytes);
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        if !headers.contains_key(EXPECT) {
            // The client is sending already. Many read no answer before they are through.
            let drain = discard(body, limit);
            let _late = tokio::time::timeout(door.config().body_timeout().min(DISCARD_TIME), drain).await;
        }
        return Err(too_large(limit));
    }
    if declared.is_none_or(|length| length > STRANGERS_LIMIT) && !body.is_end_stream() {
        caller.admit(&door.gateway).await?;
    }
    let text = tokio::time::timeout(door.config().body_timeout(), collect(body, limit)).await;
    let text = text.map_err(|_| {
        Problem::of_kind(
            ErrorKind::DeadlineExceeded,
            format!("the body did not arrive within {} ms", door.config().body_timeout_ms),
        )
    })??;
    if nests_deeper(&text, door.config().max_nesting) {
        return Err(Problem::invalid(format!(
            "the body nests arrays and objects deeper than {} levels",
            door.config().max_nesting
        )));
    }
    Ok(text)
}

/// How long a refused body is read on, so that the sender hears the refusal.
const DISCARD_TIME: std::time::Duration = std::time::Duration::from_secs(2);

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
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

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "reading a request body failed");
                return Err(Problem::invalid("the body could not be read to its end"));
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

fn too_large(limit: usize) -> Problem {
    Problem::of_kind(ErrorKind::TooLarge, format!("the body has more than {limit} bytes"))
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
