//! Searching and running tools over MCP.

use chat_terminal::{FoundTool, Terminal, Toolbox};
use rmcp::model::{CallToolRequestParams, RequestMetaObject, Tool};
use serde_json::{Map, Value, json};

use crate::connect::Connection;
use crate::ranking::rank;
use crate::requests::{all_pages, told};

/// The two tools of a gateway that shows only these (`expose=search`).
const SEARCH_TOOLS: &str = "search_tools";
const EXECUTE_TOOL: &str = "execute_tool";

/// The tools of a server, or those behind a gateway.
#[derive(Debug)]
pub(crate) struct McpToolbox<'a> {
    connection: &'a Connection,
    terminal: Terminal,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A gateway, which searches and runs tools for us.
    Gateway,
    /// A server that shows its tools.
    Server,
}

impl<'a> McpToolbox<'a> {
    /// Looks what the server has.
    pub(crate) async fn open(connection: &'a Connection, terminal: Terminal) -> Result<Self, String> {
        let tools = tools(connection).await?;
        let has = |name: &str| tools.iter().any(|tool| tool.name == name);
        let kind = if has(SEARCH_TOOLS) && has(EXECUTE_TOOL) { Kind::Gateway } else { Kind::Server };
        Ok(Self { connection, terminal, kind })
    }

    /// Shows all tools.
    pub(crate) async fn list(&self) -> Result<(), String> {
        let tools = tools(self.connection).await?;
        for tool in &tools {
            self.terminal.say(&tool.name);
        }
        self.terminal.say(format_args!("{} tools", tools.len()));
        Ok(())
    }

    async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<Value, String> {
        let mut params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        params.meta = meta();
        // Goes on until the server needs no more input, whichever era it is of. Dropping it cancels the call.
        let result = self.connection.call_tool(params).await.map_err(told)?;
        serde_json::to_value(result).map_err(|error| error.to_string())
    }
}

impl Toolbox for McpToolbox<'_> {
    async fn search(&mut self, query: &str, limit: usize) -> Result<Vec<FoundTool>, String> {
        if self.kind == Kind::Server {
            return Ok(rank(query, limit, &tools(self.connection).await?));
        }
        let arguments = [("query".to_owned(), json!(query)), ("limit".to_owned(), json!(limit))];
        let result = self.call(SEARCH_TOOLS, Map::from_iter(arguments)).await?;
        chat_terminal::text_of_result(&result)?;
        let found =
            result["structuredContent"]["tools"].as_array().ok_or("the gateway's answer has no list of tools")?;
        Ok(found.iter().map(found_tool).collect())
    }

    async fn execute(&mut self, tool: &str, arguments: Map<String, Value>) -> Result<Value, String> {
        if self.kind == Kind::Server {
            return self.call(tool, arguments).await;
        }
        let arguments = [("tool_name".to_owned(), json!(tool)), ("args".to_owned(), arguments.into())];
        self.call(EXECUTE_TOOL, Map::from_iter(arguments)).await
    }
}

fn found_tool(found: &Value) -> FoundTool {
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    FoundTool {
        name: text("name"),
        description: text("description"),
        input_schema: found["input_schema"].clone(),
        score: found["score"].as_f64().unwrap_or_default(),
    }
}

/// All tools that the server shows.
async fn tools(connection: &Connection) -> Result<Vec<Tool>, String> {
    all_pages(|page| connection.peer().list_tools(page), |page| (page.tools, page.next_cursor)).await
}

/// Since 2026-07-28 each request says which log messages it wants; older servers pass over it.
#[expect(
    deprecated,
    reason = "log messages are deprecated since then, too, and servers that send them are still about"
)]
fn meta() -> Option<RequestMetaObject> {
    let mut meta = RequestMetaObject::new();
    meta.set_log_level(rmcp::model::LoggingLevel::Info);
    Some(meta)
}
