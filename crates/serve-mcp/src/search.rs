//! The two tools of `expose = "search"`: one finds tools, one runs them.

use gateway_core::{Context, FoundTool, RawJson, SearchReply, SearchRequest};
use mcp_wire::Object;
use serde::Serialize;
use serde_json::json;

use crate::core::Request;
use crate::failure::Failure;
use crate::input::complete;
use crate::relay;

/// Finds tools.
pub(crate) const SEARCH_TOOLS: &str = "search_tools";

/// Runs one.
pub(crate) const EXECUTE_TOOL: &str = "execute_tool";

/// Tools that are returned where the caller does not say how many.
const DEFAULT_LIMIT: usize = 5;

/// As text, so that members keep their order: models read what comes first with the most care.
const SEARCH_DECLARATION: &str = r#"{
"name": "search_tools",
"title": "Search tools",
"description": "Find tools by describing, in plain words, what you want to do. Returns the tools that fit best, each with its name, what it does, the JSON Schema of its arguments and how well it fits (0 to 1). Run one of them with execute_tool. Search before you conclude that something cannot be done; an empty list means that no tool fits.",
"inputSchema": {
  "type": "object",
  "properties": {
    "query": {"type": "string", "minLength": 1, "description": "What the tool should do, such as \"what time is it in Tokyo\"."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5, "description": "How many tools at most."},
    "session_id": {"type": "string", "description": "Work with the servers of this session of the gateway instead of the usual ones."}
  },
  "required": ["query"]
},
"outputSchema": {
  "type": "object",
  "properties": {
    "tools": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "name": {"type": "string", "description": "The name for execute_tool."},
          "server": {"type": "string"},
          "description": {"type": "string"},
          "input_schema": {"type": "object"},
          "score": {"type": "number", "minimum": 0, "maximum": 1},
          "reasoning": {"type": "string"}
        },
        "required": ["name", "server", "description", "input_schema", "score", "reasoning"]
      }
    }
  },
  "required": ["tools"]
},
"annotations": {"readOnlyHint": true, "openWorldHint": false}
}"#;

const EXECUTE_DECLARATION: &str = r#"{
"name": "execute_tool",
"title": "Execute tool",
"description": "Run a tool that search_tools found. Give its name as search_tools returned it, and arguments that fit its input schema. Returns what the tool returns.",
"inputSchema": {
  "type": "object",
  "properties": {
    "tool_name": {"type": "string", "minLength": 1, "description": "The tool's name, from search_tools."},
    "args": {"type": "object", "default": {}, "description": "The tool's arguments."},
    "session_id": {"type": "string", "description": "Work with the servers of this session of the gateway instead of the usual ones."}
  },
  "required": ["tool_name"]
}
}"#;

/// Name and declaration of both.
pub(crate) fn declarations() -> [(&'static str, RawJson); 2] {
    [(SEARCH_TOOLS, SEARCH_DECLARATION), (EXECUTE_TOOL, EXECUTE_DECLARATION)]
        .map(|(name, declaration)| (name, RawJson::parse(declaration).expect("the text above is JSON")))
}

/// `tools/call` of [`SEARCH_TOOLS`]. What a model did wrong is a result that says so, which it can read.
pub(crate) async fn search(request: &Request, arguments: &Object) -> Result<RawJson, Failure> {
    let sender = match relay::session_of(request, arguments) {
        Ok(sender) => sender,
        Err(message) => return Ok(mistake(request, &message)),
    };
    let Some(query) = arguments.text("query") else {
        return Ok(mistake(request, "`query` is missing or no text: say in plain words what the tool should do"));
    };
    let limit = match arguments.get("limit").filter(|limit| limit.as_str() != "null").map(RawJson::read::<usize>) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => return Ok(mistake(request, "`limit` must be a whole number between 1 and 50")),
    };
    let gateway = &request.core.gateway;
    let found = async {
        let context: Context = sender.admit(gateway, None).await?;
        gateway.listed(&context, request.core.config.first_list_patience()).await;
        gateway.search(&context, SearchRequest { query, limit, servers: None, min_score: 0.0 }).await
    };
    match found.await {
        Ok(reply) => found_tools(request, &reply),
        Err(error) => relay::told(request, error.into()),
    }
}

fn found_tools(request: &Request, reply: &SearchReply) -> Result<RawJson, Failure> {
    let unwritable = |_| Failure::new(mcp_wire::code::INTERNAL_ERROR, "what was found cannot be written");
    let found = Found { tools: reply.matches.iter().map(found_tool).collect() };
    let structured = RawJson::from_value(&found).map_err(unwritable)?;
    let text = match found.tools.is_empty() {
        true => "No tool fits. Try other words, or say what you want to achieve instead of how.".to_owned(),
        false => structured.as_str().to_owned(),
    };
    let content = RawJson::from_value(&json!([{ "type": "text", "text": text }])).map_err(unwritable)?;
    let result = format!(r#"{{"content":{},"structuredContent":{}}}"#, content.as_str(), structured.as_str());
    let result = RawJson::parse(result).map_err(unwritable)?;
    Ok(complete(&request.client, &result))
}

/// The structured content of a search.
#[derive(Serialize)]
struct Found<'a> {
    tools: Vec<ShownTool<'a>>,
}

#[derive(Serialize)]
struct ShownTool<'a> {
    name: &'a str,
    server: &'a str,
    description: &'a str,
    /// As its server wrote it.
    input_schema: &'a RawJson,
    score: f64,
    reasoning: &'a str,
}

fn found_tool(found: &FoundTool) -> ShownTool<'_> {
    let FoundTool { tool, score, reasoning } = found;
    ShownTool {
        name: &tool.qualified_name,
        server: &tool.server,
        description: tool.tool.description(),
        input_schema: tool.tool.input_schema(),
        // Two digits say all there is to it, and do not end in 0.30000001192092896.
        score: (f64::from(*score) * 100.0).round() / 100.0,
        reasoning,
    }
}

/// A result that tells a model what it did wrong.
pub(crate) fn mistake(request: &Request, message: &str) -> RawJson {
    let result = json!({ "content": [{ "type": "text", "text": message }], "isError": true });
    let result = RawJson::from_value(&result).unwrap_or_else(|_| RawJson::empty_object());
    complete(&request.client, &result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_what_they_should_be() {
        for (name, declaration) in declarations() {
            let tool = gateway_core::Tool::parse(declaration).expect("a tool");
            assert_eq!(tool.name(), name);
            assert!(tool.input_schema().as_str().contains("session_id"));
        }
        let default = format!("\"default\": {DEFAULT_LIMIT},");
        assert!(SEARCH_DECLARATION.contains(&default), "the declaration tells the default");
    }
}
