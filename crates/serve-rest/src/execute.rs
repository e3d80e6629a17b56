//! `POST /mcp/execute`: the road that most requests take.
//!
//! The body is read once into borrowed parts; arguments and result stay raw from end to end.

use std::time::SystemTime;

use answer_json::{CallBody, JsonText, unix_seconds, write_tool_result};
use axum::extract::{Request, State};
use axum::response::Response;
use gateway_core::{Listener, ToolReply};
use http::HeaderMap;
use http::header::ACCEPT;
use http_server::Caller;

use crate::answer;
use crate::body::{parse, read_json};
use crate::door::Door;
use crate::events;
use crate::openapi::{BodyRefusals, CallFailures, Refusals};
use crate::problem::Problem;
use crate::requests;
use crate::wire::{ExecuteAnswer, ExecuteBody, QueuedAnswer};

/// Runs a tool.
///
/// With `Accept: text/event-stream` the answer is a stream of events: `progress` and `log` as the tool sends
/// them, then one `result` (with this answer as its data) or `error` (with the body of a failure). With
/// `Prefer: respond-async` the call is queued, and answered later.
#[utoipa::path(
    post,
    path = "/mcp/execute",
    operation_id = "execute_tool",
    tag = "tools",
    params(
        ("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: queue it, and answer later"),
    ),
    request_body = ExecuteBody,
    responses(
        (status = 200, description = "the tool ran", content(
            (ExecuteAnswer = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 202, description = "the call is queued; `Location` says where its answer will be", body = QueuedAnswer),
        Refusals, BodyRefusals, CallFailures,
    ),
)]
pub(crate) async fn execute(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let streams = wants_events(request.headers());
    let later = !streams && requests::is_preferred(request.headers());
    let text = read_json(&door, &caller, request, usize::MAX).await?;
    let (call, timeout) = parse::<CallBody<'_>>(&text)?.request(&text, door.config().max_timeout_ms)?;
    if later && let Some(queue) = door.queue() {
        let context = caller.admit(&door.gateway).await?;
        return requests::enqueue(queue, &caller, &context, "mcp_tool_call", &text).await;
    }
    if streams {
        let (listener, notifications) = Listener::channel(door.config().max_waiting_events.max(1));
        let context = caller.admit_for(&door.gateway, timeout, Some(listener)).await?;
        return Ok(events::stream(door, caller, context, call, notifications));
    }
    let context = caller.admit_for(&door.gateway, timeout, None).await?;
    let reply = door.gateway.call(&context, call).await?;
    Ok(answer::json_text(write(&caller.request_id, caller.session_id.as_deref(), &reply)))
}

/// Writes [`ExecuteAnswer`].
pub(crate) fn write(request_id: &str, session_id: Option<&str>, reply: &ToolReply) -> JsonText {
    let mut text = JsonText::with_capacity(512 + reply.result.as_bytes().len().min(64 * 1024) * 2);
    text.syntax("{\"request_id\":").string(request_id);
    text.syntax(",\"status\":\"completed\",\"timestamp\":").syntax(&unix_seconds(SystemTime::now()));
    if let Some(session_id) = session_id {
        text.syntax(",\"session_id\":").string(session_id);
    }
    text.syntax(",\"result\":");
    write_tool_result(&mut text, reply);
    text.syntax("}");
    text
}

/// Whether an event stream is asked for: it is accepted, and preferred to JSON or named before it.
fn wants_events(headers: &HeaderMap) -> bool {
    let mut events = None;
    let mut json = None;
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for (place, range) in ranges.flat_map(|value| value.split(',')).enumerate() {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let quality = parts
            .filter_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
            .find_map(|quality| quality.parse::<f32>().ok())
            .unwrap_or(1.0);
        let rank = (quality, std::cmp::Reverse(place));
        if kind.eq_ignore_ascii_case("text/event-stream") {
            events = Some(rank);
        } else if kind.eq_ignore_ascii_case("application/json") {
            json = Some(rank);
        }
    }
    events.is_some_and(|events| events.0 > 0.0 && json.is_none_or(|json| events > json))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{RawJson, Tool};
    use http::HeaderValue;

    use super::*;

    #[test]
    fn writes_what_the_type_says() {
        let check = |result: &str, success: bool, content: &str| {
            let tool = r#"{"name":"t\"","inputSchema":{}}"#.to_owned();
            let tool = Tool::parse(RawJson::parse(tool).expect("JSON")).expect("a tool");
            let reply = ToolReply {
                server: "de\\mo".into(),
                server_uuid: uuid::Uuid::from_u128(7),
                tool: Arc::new(tool),
                result: RawJson::parse(result.to_owned()).expect("JSON"),
                era: gateway_core::Era::Legacy,
            };
            let text = write("r-\"1", Some("sess_1"), &reply).into_bytes();
            let read: ExecuteAnswer = serde_json::from_slice(&text).expect("the answer is of its type");
            assert_eq!((read.request_id.as_str(), read.status.as_str()), ("r-\"1", "completed"));
            assert_eq!(read.session_id.as_deref(), Some("sess_1"));
            assert!(read.timestamp > 1.7e9);
            assert_eq!((read.result.success, read.result.content.as_str()), (success, content));
            assert_eq!((read.result.server.as_str(), read.result.tool.as_str()), ("de\\mo", "t\""));
            assert_eq!(read.result.server_uuid, uuid::Uuid::from_u128(7));
            assert_eq!(read.result.call_tool_result.as_str(), result);
        };
        check(
            r#"{"content":[{"type":"text","text":"a\u00e9\n"},{"type":"new","x":1e0},{"type":"text","text":"\"b"}], "_meta":{"z":1.10}}"#,
            true,
            "aé\n\n\"b",
        );
        check(r#"{"isError":true,"content":[]}"#, false, "");
        check("{}", true, "");
        let long = "x".repeat(200_000);
        check(&format!(r#"{{"content":[{{"type":"text","text":"{long}"}}]}}"#), true, &long);
    }

    #[test]
    fn understands_accept() {
        let check = |accept: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_events(&headers), expected, "{accept}");
        };
        check("text/event-stream", true);
        check("Text/Event-Stream; charset=utf-8", true);
        check("text/event-stream, application/json", true);
        check("application/json, text/event-stream", false);
        check("application/json;q=0.5, text/event-stream", true);
        check("text/event-stream;q=0", false);
        check("application/json", false);
        check("*/*", false);
        check("text/event-stream, */*", true);
        assert!(!wants_events(&HeaderMap::new()));
    }
}
