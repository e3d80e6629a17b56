//! Arguments that travel in headers as well (2026-07-28, SEP-2243).
//!
//! A client on standard input and output has no headers, so it sends none; the gateway wants them from whoever
//! speaks HTTP. Which arguments they are stands in the tools' schemas.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gateway_core::{ParamHeader, RawJson, Tool};
use http::{HeaderMap, HeaderName, HeaderValue};
use mcp_wire::{Message, Outcome, header};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most tools that are remembered; few have such arguments at all.
const MAX_TOOLS: usize = 10_000;

/// The tools that want arguments in headers, as the gateway's lists declared them.
#[derive(Debug, Default)]
pub(super) struct ToolHeaders(Mutex<HashMap<String, Vec<ParamHeader>>>);

impl ToolHeaders {
    /// Reads the answer to a `tools/list`, one page of it.
    pub(super) fn learn(&self, answer: &Bytes) {
        #[derive(Deserialize)]
        struct Page<'a> {
            #[serde(borrow)]
            tools: Vec<&'a RawValue>,
        }
        let Ok(Message::Response { outcome: Outcome::Ok(result), .. }) = Message::parse(answer) else { return };
        let Ok(page) = result.read::<Page<'_>>() else { return };
        for raw in page.tools {
            // What is no tool nobody calls.
            if let Ok(tool) = Tool::parse(RawJson::slice_of(result.as_bytes(), raw)) {
                self.remember(&tool);
            }
        }
    }

    /// The headers of a request, if it calls such a tool.
    pub(super) fn of_request(&self, text: &Bytes) -> HeaderMap {
        #[derive(Deserialize)]
        struct Call {
            name: String,
            #[serde(default)]
            arguments: serde_json::Value,
        }
        let mut headers = HeaderMap::new();
        if self.lock().is_empty() {
            return headers;
        }
        let Ok(Message::Request { method, params, .. }) = Message::parse(text) else { return headers };
        let Some(call) = (method == "tools/call").then(|| params.read::<Call>().ok()).flatten() else { return headers };
        let Some(wanted) = self.lock().get(&call.name).cloned() else { return headers };
        for param in wanted {
            let Some(value) = param.value(&call.arguments) else { continue };
            let name = HeaderName::from_bytes(format!("{}{}", header::PARAM_PREFIX, param.name()).as_bytes());
            let value = HeaderValue::from_str(&header::encode_value(&value));
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn remember(&self, tool: &Tool) {
        let mut tools = self.lock();
        match tool.param_headers() {
            [] => drop(tools.remove(tool.name())),
            wanted if tools.len() < MAX_TOOLS => drop(tools.insert(tool.name().to_owned(), wanted.to_vec())),
            _ => tracing::warn!("too many tools want arguments in headers; some will not get them"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<ParamHeader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(header: &str) -> Bytes {
        let schema = format!(r#"{{"type":"object","properties":{{"city":{{"type":"string"{header}}}}}}}"#);
        let tools = format!(r#"[{{"name":"weather","inputSchema":{schema}}},{{"name":5}}]"#);
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{tools}}}}}"#).into()
    }

    #[test]
    fn calls_get_the_headers_that_the_last_list_wants() {
        let tools = ToolHeaders::default();
        let check = |method: &str, params: &str, expected: Option<&str>| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let headers = tools.of_request(&text.clone().into());
            let found = headers.get("mcp-param-place").map(|value| value.to_str().expect("ASCII"));
            assert_eq!((found, headers.len()), (expected, usize::from(expected.is_some())), "{text}");
        };
        let rome = r#"{"name":"weather","arguments":{"city":"Rome"}}"#;
        check("tools/call", rome, None);
        tools.learn(&list(r#","x-mcp-header":"Place""#));
        check("tools/call", rome, Some("Rome"));
        check("tools/call", r#"{"name":"weather","arguments":{"city":"Zürich"}}"#, Some("=?base64?WsO8cmljaA==?="));
        check("tools/call", r#"{"name":"weather","arguments":{}}"#, None);
        check("tools/call", r#"{"name":"weather"}"#, None);
        check("tools/call", r#"{"name":"other","arguments":{"city":"Rome"}}"#, None);
        check("prompts/get", rome, None);
        tools.learn(&Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#));
        check("tools/call", rome, Some("Rome"));
        tools.learn(&list(""));
        check("tools/call", rome, None);
    }
}
