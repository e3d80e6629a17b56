//! Calls and what comes of them.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, ErrorKind, RawJson, Result, ToolCall, ToolReply};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json_text::JsonText;
use crate::tool_result::ToolResult;

/// A call of a tool, as it is asked for. Arguments stay raw.
#[derive(Debug, Deserialize)]
pub struct CallBody<'a> {
    tool_name: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    server: Option<String>,
    timeout_ms: Option<u64>,
}

impl CallBody<'_> {
    /// What the engine is asked, and the caller's own time limit. `text` is what the body was read from.
    ///
    /// # Errors
    /// `InvalidRequest` for a field that is missing, there twice or out of range, `InvalidArguments` for arguments that
    /// are no object.
    pub fn request(self, text: &Bytes, max_timeout_ms: u64) -> Result<(ToolCall, Option<Duration>)> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        let name = match (self.tool_name, self.name) {
            (Some(tool_name), Some(name)) if tool_name != name => {
                return invalid("tool_name and name are two spellings of one field, and differ".to_owned());
            }
            (tool_name, name) => tool_name.or(name).filter(|name| !name.is_empty()),
        };
        let Some(name) = name else {
            return invalid("tool_name is missing or empty".to_owned());
        };
        let arguments = match (self.args, self.arguments) {
            (Some(_), Some(_)) => {
                return invalid("args and arguments are two spellings of one field; send one of them".to_owned());
            }
            (Some(raw), None) | (None, Some(raw)) => RawJson::slice_of(text, raw),
            (None, None) => RawJson::empty_object(),
        };
        if !arguments.is_object() {
            return Err(Error::new(ErrorKind::InvalidArguments, "args must be an object"));
        }
        let timeout = match self.timeout_ms {
            Some(milliseconds) if !(1..=max_timeout_ms).contains(&milliseconds) => {
                return invalid(format!("timeout_ms must be in 1..={max_timeout_ms}"));
            }
            timeout => timeout.map(Duration::from_millis),
        };
        let mut call = ToolCall::new(name, arguments);
        call.server = self.server.filter(|server| !server.is_empty());
        Ok((call, timeout))
    }
}

/// Adds what came of a call: `{"success": …, "call_tool_result": …}`, the server's result byte for byte.
/// Returns whether the tool says that it went well.
pub fn write_tool_result(text: &mut JsonText, reply: &ToolReply) -> bool {
    let result = ToolResult::of(reply.result.as_str());
    let texts = result.texts.iter().map(|text| text.len() + 2).sum::<usize>();
    text.reserve(256 + (texts + reply.result.as_bytes().len()).min(64 * 1024));
    text.syntax(if result.is_error { "{\"success\":false" } else { "{\"success\":true" });
    text.syntax(",\"server\":").string(&reply.server);
    let mut uuid = uuid::Uuid::encode_buffer();
    text.syntax(",\"server_uuid\":\"").syntax(reply.server_uuid.hyphenated().encode_lower(&mut uuid));
    text.syntax("\",\"tool\":").string(reply.tool.name());
    text.syntax(",\"content\":\"");
    for (place, part) in result.texts.iter().enumerate() {
        if place > 0 {
            text.syntax("\\n");
        }
        // Still escaped as the server wrote it: it goes from one string into another.
        text.part(reply.result.as_bytes(), part.as_bytes());
    }
    text.syntax("\",\"call_tool_result\":").raw(&reply.result).syntax("}");
    !result.is_error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_calls() {
        let check = |body: &'static str, expected: std::result::Result<(&str, &str), Option<ErrorKind>>| {
            let text = Bytes::from_static(body.as_bytes());
            let read = serde_json::from_slice(&text).map_err(|_| None);
            let read =
                read.and_then(|body: CallBody<'_>| body.request(&text, 1000).map_err(|error| Some(error.kind())));
            let read = read.map(|(call, _)| (call.name, call.arguments.as_str().to_owned()));
            let expected = expected.map(|(name, arguments)| (name.to_owned(), arguments.to_owned()));
            assert_eq!(read, expected, "{body}");
        };
        const INVALID: Option<ErrorKind> = Some(ErrorKind::InvalidRequest);
        const ARGUMENTS: Option<ErrorKind> = Some(ErrorKind::InvalidArguments);
        check(r#"{"tool_name":"a","args":{"x" : 1.0}}"#, Ok(("a", r#"{"x" : 1.0}"#)));
        check(r#"{"name":"a","arguments":{}}"#, Ok(("a", "{}")));
        check(r#"{"tool_name":"a"}"#, Ok(("a", "{}")));
        check(r#"{"tool_name":"a","args":null,"unknown":[1]}"#, Ok(("a", "{}")));
        check(r#"{"tool_name":"a\u0062","name":"ab"}"#, Ok(("ab", "{}")));
        check(r#"{"tool_name":"a","timeout_ms":1000}"#, Ok(("a", "{}")));
        check(r#"{"tool_name":"a","name":"b"}"#, Err(INVALID));
        check(r#"{"tool_name":"a","args":{},"arguments":{}}"#, Err(INVALID));
        check(r#"{"tool_name":"a","args":{},"args":{}}"#, Err(None));
        check(r#"{"tool_name":"a","args":[]}"#, Err(ARGUMENTS));
        check(r#"{"tool_name":"a","args":"{}"}"#, Err(ARGUMENTS));
        check(r#"{"tool_name":"a","timeout_ms":0}"#, Err(INVALID));
        check(r#"{"tool_name":"a","timeout_ms":1001}"#, Err(INVALID));
        check(r#"{"tool_name":"a","timeout_ms":-1}"#, Err(None));
        check(r#"{"tool_name":""}"#, Err(INVALID));
        check(r#"{"tool_name":5}"#, Err(None));
        check("{}", Err(INVALID));
        check("[]", Err(None));
        check("", Err(None));
        check(r#"{"tool_name":"a"} x"#, Err(None));
    }
}
