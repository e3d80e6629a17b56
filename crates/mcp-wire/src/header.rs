//! HTTP headers of MCP: their names, and how a name travels in one (SEP-2243).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gateway_core::{RawJson, TraceContext};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::Object;

/// The revision in use; required from 2025-06-18 on.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The session that `initialize` opened.
pub const SESSION_ID: &str = "mcp-session-id";
/// The body's method, from 2026-07-28 on.
pub const METHOD: &str = "mcp-method";
/// The body's tool, prompt or resource, from 2026-07-28 on.
pub const NAME: &str = "mcp-name";
/// Before the name of an argument that travels in a header as well, from 2026-07-28 on.
pub const PARAM_PREFIX: &str = "mcp-param-";
/// Where a broken stream is taken up again.
pub const LAST_EVENT_ID: &str = "last-event-id";

const ENCODED_PREFIX: &str = "=?base64?";
const ENCODED_SUFFIX: &str = "?=";

/// What [`NAME`] must say for this request, not yet encoded; `None` where the method has none.
pub fn name_of(method: &str, params: &RawJson) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        name: Option<String>,
        uri: Option<String>,
        task_id: Option<String>,
    }
    let (member, pick): (_, fn(Named) -> Option<String>) = match method {
        "tools/call" | "prompts/get" => ("name", |named| named.name),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => ("uri", |named| named.uri),
        "tasks/get" | "tasks/update" | "tasks/cancel" => ("taskId", |named| named.task_id),
        _ => return None,
    };
    match params.read() {
        Ok(named) => pick(named),
        // A member is repeated, or another one is no text: of repeated ones the last counts.
        Err(_) => Object::of(params).text(member),
    }
}

/// The value as a header can carry it: itself, or `=?base64?…?=` where it has characters outside
/// printable ASCII, white space at an end, or looks as if it were encoded.
pub fn encode_value(value: &str) -> Cow<'_, str> {
    let printable = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    let looks_encoded = value.starts_with(ENCODED_PREFIX) && value.ends_with(ENCODED_SUFFIX);
    if printable && !looks_encoded && value.trim_matches(' ') == value {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{ENCODED_PREFIX}{}{ENCODED_SUFFIX}", BASE64.encode(value)))
}

/// What a header's value says: itself, or what is encoded in it; `None` where the encoding is broken.
pub fn decode_value(value: &str) -> Option<Cow<'_, str>> {
    let encoded = value.strip_prefix(ENCODED_PREFIX).and_then(|rest| rest.strip_suffix(ENCODED_SUFFIX));
    let Some(encoded) = encoded else { return Some(Cow::Borrowed(value)) };
    String::from_utf8(BASE64.decode(encoded).ok()?).ok().map(Cow::Owned)
}

/// Tells a server over HTTP where a request stands in a trace (W3C Trace Context). A `tracestate` that is there already
/// belongs to another place.
pub fn insert_trace(headers: &mut HeaderMap, trace: &TraceContext) {
    // What a context is made of has printable ASCII only.
    if let Ok(parent) = HeaderValue::from_str(trace.traceparent()) {
        headers.insert("traceparent", parent);
    }
    match trace.tracestate().and_then(|state| HeaderValue::from_str(state).ok()) {
        Some(state) => headers.insert("tracestate", state),
        None => headers.remove("tracestate"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_encodings_are_told_from_plain_values() {
        let check =
            |value: &str, expected: Option<&str>| assert_eq!(decode_value(value).as_deref(), expected, "{value}");
        check("=?base64?SGVsbG8=?=", Some("Hello"));
        check("SGVsbG8=", Some("SGVsbG8="));
        check("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8="));
        check("=?base64?SGVsbG8?=", None);
        check("=?base64?SGVs!!!bG8=?=", None);
        check("=?base64?/w==?=", None);
    }

    #[test]
    fn values_are_encoded_where_they_must() {
        let check = |value: &str, expected: &str| {
            assert_eq!(encode_value(value), expected);
            assert_eq!(decode_value(expected).as_deref(), Some(value));
        };
        check("get_weather", "get_weather");
        check("", "");
        check("a b", "a b");
        check(" a", "=?base64?IGE=?=");
        check("a\t", "=?base64?YQk=?=");
        check("a\nb", "=?base64?YQpi?=");
        check("日本", "=?base64?5pel5pys?=");
        check("é", "=?base64?w6k=?=");
        check("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=");
    }

    #[test]
    fn the_name_comes_from_the_right_place() {
        let check = |method: &str, params: &str, expected: Option<&str>| {
            let params = RawJson::parse(params.to_owned()).expect("valid JSON");
            assert_eq!(name_of(method, &params).as_deref(), expected, "{method}");
        };
        check("tools/call", r#"{"arguments":{"name":"x"},"name":"t\u0061"}"#, Some("ta"));
        check("prompts/get", r#"{"name":"p","uri":"u"}"#, Some("p"));
        check("resources/read", r#"{"name":"p","uri":"u"}"#, Some("u"));
        check("tools/list", r#"{"name":"p"}"#, None);
        check("tools/call", r#"{"name":5}"#, None);
        check("tools/call", r#"{"name":"a","x":1,"name":"b"}"#, Some("b"));
        check("tools/call", r#"{"name":"a","uri":5}"#, Some("a"));
    }
}
