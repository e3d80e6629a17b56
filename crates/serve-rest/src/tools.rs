//! `GET /mcp/tools`.

use answer_json::{Entries, JsonText};
use axum::extract::State;
use axum::response::Response;
use gateway_core::ToolEntry;
use http_server::Caller;
use memchr::memmem;

use crate::answer;
use crate::door::Door;
use crate::openapi::Refusals;
use crate::problem::Problem;
use crate::wire::ToolsAnswer;

/// The keys that the gateway adds.
const OURS: [&str; 3] = ["mcp_server", "mcp_server_uuid", "qualified_name"];

/// The tools of all servers, with everything that their servers declared.
#[utoipa::path(
    get,
    path = "/mcp/tools",
    operation_id = "list_tools",
    tag = "tools",
    params(("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent")),
    responses((status = 200, description = "the tools", body = ToolsAnswer), Refusals),
)]
pub(crate) async fn list(State(door): State<Door>, caller: Caller) -> Result<Response, Problem> {
    let context = caller.admit(&door.gateway).await?;
    Ok(answer::json_text(write(&door.gateway.tools(&context), caller.session_id.as_deref())))
}

fn write(tools: &[ToolEntry], session_id: Option<&str>) -> JsonText {
    let size =
        |entry: &ToolEntry| entry.tool.raw().as_bytes().len() + entry.server.len() + entry.qualified_name.len() + 128;
    let mut text = JsonText::with_capacity(tools.iter().map(size).sum::<usize>() + 128);
    text.syntax("{\"tools\":[");
    for (place, entry) in tools.iter().enumerate() {
        if place > 0 {
            text.syntax(",");
        }
        write_tool(&mut text, entry);
    }
    text.syntax("],\"total\":").syntax(&tools.len().to_string());
    if let Some(session_id) = session_id {
        text.syntax(",\"session_id\":").string(session_id);
    }
    text.syntax("}");
    text
}

/// Writes a tool: our keys, then the whole declaration as it came.
fn write_tool(text: &mut JsonText, entry: &ToolEntry) {
    text.syntax("{\"mcp_server\":").string(&entry.server);
    let mut uuid = uuid::Uuid::encode_buffer();
    text.syntax(",\"mcp_server_uuid\":\"").syntax(entry.server_uuid.hyphenated().encode_lower(&mut uuid));
    text.syntax("\",\"qualified_name\":").string(&entry.qualified_name);
    let raw = entry.tool.raw();
    if is_ordinary(entry) {
        text.syntax(",").part(raw.as_bytes(), &raw.as_bytes()[1..]);
        return;
    }
    let Entries(declared) = Entries::of(raw.as_str()).unwrap_or_default();
    let mut has_description = false;
    for (key, value) in &declared {
        // A server must not be able to say that its tool is another server's.
        if OURS.contains(&key.as_ref()) {
            continue;
        }
        if key == "description" {
            if value.get() == "null" {
                continue;
            }
            has_description = true;
        }
        text.syntax(",").string(key).syntax(":").part(raw.as_bytes(), value.get().as_bytes());
    }
    if !has_description {
        text.syntax(",\"description\":\"\"");
    }
    text.syntax("}");
}

/// Whether a declaration surely has a description and none of our keys, so that it may go out in one piece.
/// An escape may hide a key's letters.
fn is_ordinary(entry: &ToolEntry) -> bool {
    let raw = entry.tool.raw().as_bytes();
    let has = |needle: &str| memmem::find(raw, needle.as_bytes()).is_some();
    !entry.tool.description().is_empty() && !has("mcp_server") && !has("qualified_name") && !has("\\u")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{RawJson, Tool};
    use uuid::Uuid;

    use super::*;

    fn entry(raw: &str) -> ToolEntry {
        let raw = RawJson::parse(raw.to_owned()).expect("JSON");
        ToolEntry {
            server: "de\"mo".into(),
            server_uuid: Uuid::from_u128(7),
            qualified_name: "demo__t".into(),
            tool: Arc::new(Tool::parse(raw).expect("a tool")),
        }
    }

    #[test]
    fn a_declaration_stays_as_it_is() {
        let check = |raw: &str, expected: &str| {
            let mut text = JsonText::default();
            write_tool(&mut text, &entry(raw));
            let prefix = r#"{"mcp_server":"de\"mo","mcp_server_uuid":"00000000-0000-0000-0000-000000000007","qualified_name":"demo__t","#;
            assert_eq!(text.into_bytes(), format!("{prefix}{expected}"), "{raw}");
        };
        check(
            r#"{ "name":"t", "inputSchema":{"x":1.0}, "description":"d", "_meta":{"z":[]}}"#,
            r#" "name":"t", "inputSchema":{"x":1.0}, "description":"d", "_meta":{"z":[]}}"#,
        );
        check(r#"{"name":"t","inputSchema":{}}"#, r#""name":"t","inputSchema":{},"description":""}"#);
        check(
            r#"{"name":"t","description":null,"inputSchema":{}}"#,
            r#""name":"t","inputSchema":{},"description":""}"#,
        );
        check(
            r#"{"name":"t","description":"see mcp_server","inputSchema":{}}"#,
            r#""name":"t","description":"see mcp_server","inputSchema":{}}"#,
        );
    }

    #[test]
    fn a_server_cannot_pretend_to_be_another() {
        for key in ["mcp_server", "mcp_server_uuid", "qualified_name", r"mcp\u005fserver", r"\u0071ualified_name"] {
            let raw = format!(r#"{{"name":"t","description":"d","inputSchema":{{}},"{key}":"other","{key}":"other"}}"#);
            let text = write(&[entry(&raw), entry(&raw)], Some("sess_1")).into_bytes();
            let answer: ToolsAnswer = serde_json::from_slice(&text).expect("no key is repeated");
            assert_eq!((answer.total, answer.session_id.as_deref()), (2, Some("sess_1")));
            for tool in answer.tools {
                assert_eq!(tool.mcp_server, "de\"mo");
                assert_eq!(tool.mcp_server_uuid, Uuid::from_u128(7));
                assert_eq!(tool.qualified_name, "demo__t");
                assert_eq!((tool.name.as_str(), tool.description.as_str()), ("t", "d"));
                assert_eq!(tool.input_schema.as_str(), "{}");
            }
        }
    }
}
