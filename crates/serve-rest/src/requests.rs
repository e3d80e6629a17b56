//! Requests that are answered later: `Prefer: respond-async`, `GET /mcp/requests/{id}`.
//!
//! Such a request becomes a job on the gateway's queue, under the id of the HTTP request: one that is sent twice runs once.
//! Who made it stands in the job, as `caller`, and nobody else sees it.

use std::time::SystemTime;

use answer_json::{JsonText, unix_seconds};
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use gateway_core::{Context, ErrorKind, Job, Priority, Queue, RawJson, RequestRecord, RequestState};
use http::{HeaderMap, HeaderName, StatusCode};
use http_server::Caller;
use serde::Deserialize;

use crate::answer;
use crate::door::Door;
use crate::openapi::Refusals;
use crate::problem::Problem;
use crate::wire::RequestAnswer;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Whether the caller would rather have the answer later (RFC 7240).
pub(crate) fn is_preferred(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .any(|token| token.trim().eq_ignore_ascii_case("respond-async"))
}

/// Queues a request with this body, which has been read and found good, and says where its answer will be.
pub(crate) async fn enqueue(
    queue: &dyn Queue,
    caller: &Caller,
    context: &Context,
    action: &str,
    body: &Bytes,
) -> Result<Response, Problem> {
    let id = &*caller.request_id;
    if !is_job_id(id) {
        return Err(Problem::invalid(
            "with Prefer: respond-async, X-Request-ID may have the characters A-Z a-z 0-9 - _ . : only",
        ));
    }
    let state = match queue.request(id).await? {
        // The second attempt of one that came through.
        Some(known) if is_visible(&known, context) => known.state,
        Some(_) => {
            return Err(Problem::of_kind(ErrorKind::Conflict, "there is another request with this X-Request-ID"));
        }
        None => {
            let payload = envelope(caller, context, action, body);
            queue.push(Job { request_id: id.to_owned(), payload, priority: Priority::Normal }).await?;
            RequestState::Queued
        }
    };
    let mut text = JsonText::with_capacity(256);
    text.syntax("{\"request_id\":").string(id).syntax(",\"status\":").string(state.as_str());
    text.syntax(",\"timestamp\":").syntax(&unix_seconds(SystemTime::now()));
    if let Some(session_id) = context.session_id() {
        text.syntax(",\"session_id\":").string(session_id);
    }
    text.syntax("}");
    let mut response = answer::json_text(text);
    *response.status_mut() = StatusCode::ACCEPTED;
    let response = answer::with_header(response, "location", &format!("/mcp/requests/{id}"));
    Ok(answer::with_header(response, "preference-applied", "respond-async"))
}

/// A request that was queued, and its answer once it has one.
///
/// Known for an hour after the answer at least. Only its caller sees it; a job that another program put on the queue
/// belongs to nobody, and every caller sees it.
#[utoipa::path(
    get,
    path = "/mcp/requests/{id}",
    operation_id = "get_request",
    tag = "tools",
    params(("id" = String, Path, description = "the id of the request")),
    responses((status = 200, description = "the request", body = RequestAnswer), Refusals),
)]
pub(crate) async fn show(
    State(door): State<Door>,
    Path(id): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    let context = caller.without_session().admit(&door.gateway).await?;
    let Some(queue) = door.queue() else {
        return Err(Problem::of_kind(ErrorKind::NotFound, "this gateway queues no requests"));
    };
    let unknown = || Problem::of_kind(ErrorKind::NotFound, "there is no request with this id, or no longer");
    if !is_job_id(&id) {
        return Err(unknown());
    }
    let record = queue.request(&id).await?.filter(|record| is_visible(record, &context)).ok_or_else(unknown)?;
    let mut text = JsonText::with_capacity(1024);
    text.syntax("{\"request_id\":").string(&id).syntax(",\"status\":").string(record.state.as_str());
    let parts = [("request", record.request), ("response", record.response)];
    for (name, part) in parts {
        // What is no JSON cannot be shown inside of some.
        if let Some(part) = part.and_then(|part| RawJson::parse(part).ok()) {
            text.syntax(",").string(name).syntax(":").raw(&part);
        }
    }
    text.syntax("}");
    Ok(answer::json_text(text))
}

/// The job of a request.
fn envelope(caller: &Caller, context: &Context, action: &str, body: &Bytes) -> Bytes {
    let mut text = JsonText::with_capacity(256 + body.len());
    text.syntax("{\"request_id\":").string(&caller.request_id);
    text.syntax(",\"action\":").string(action);
    text.syntax(",\"payload\":").part(body, body.trim_ascii());
    if let Some(session_id) = context.session_id() {
        text.syntax(",\"session_id\":").string(session_id);
    }
    text.syntax(",\"caller\":").string(&context.principal().id);
    if let Some(trace) = &caller.trace {
        text.syntax(",\"traceparent\":").string(trace.traceparent());
        if let Some(state) = trace.tracestate() {
            text.syntax(",\"tracestate\":").string(state);
        }
    }
    text.syntax("}");
    text.into_bytes()
}

/// Whether a request is this caller's, or nobody's.
fn is_visible(record: &RequestRecord, context: &Context) -> bool {
    #[derive(Deserialize)]
    struct Made<'a> {
        #[serde(borrow)]
        caller: Option<std::borrow::Cow<'a, str>>,
    }
    let Some(request) = &record.request else { return false };
    match serde_json::from_slice(request) {
        Ok(Made { caller: Some(caller) }) => *caller == *context.principal().id,
        Ok(Made { caller: None }) => true,
        Err(_) => false,
    }
}

/// Whether a text may be the id of a job.
fn is_job_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn understands_prefer() {
        let check = |values: &[&'static str], expected: bool| {
            let headers: HeaderMap = values.iter().map(|value| (PREFER, HeaderValue::from_static(value))).collect();
            assert_eq!(is_preferred(&headers), expected, "{values:?}");
        };
        check(&[], false);
        check(&["respond-async"], true);
        check(&["Respond-Async"], true);
        check(&["wait=10, respond-async"], true);
        check(&["respond-async; foo=bar"], true);
        check(&["return=minimal", "respond-async,wait=5"], true);
        check(&["return=minimal"], false);
        check(&["respond-asynchronously"], false);
        check(&["wait=respond-async"], false);
    }
}
