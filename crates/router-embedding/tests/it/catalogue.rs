//! A small catalogue, and how it is asked.

use std::sync::Arc;

use gateway_core::{Index, Match, Query, RawJson, Router, ServerTools};
use router_embedding::EmbeddingRouter;
use serde_json::{Value, json};

/// Servers of everyday life.
pub fn servers() -> Vec<Arc<ServerTools>> {
    vec![
        server(
            "calendar",
            &[
                tool("delete_event", "Deletes an event from the calendar"),
                tool("create_event", "Adds an event to the calendar"),
                tool("list_events", "Shows the events of a day"),
            ],
        ),
        server(
            "files",
            &[
                tool("read_file", "Returns the contents of a file"),
                tool("remove_directory", "Deletes a directory with everything in it"),
            ],
        ),
        server("clinic", &[tool("bookPhysician", "Makes an appointment with a doctor")]),
        server("money", &[tool("convert_currency", "Converts an amount from one currency to another")]),
        server("weather", &[tool("get_forecast", "Weather forecast for the next days: rain, wind and temperature")]),
        server("文件", &[tool("读取文件", "读取磁盘上的文件内容")]),
    ]
}

pub fn server(name: &str, tools: &[Value]) -> Arc<ServerTools> {
    let declared = tools.iter().map(|tool| RawJson::from_value(tool).expect("JSON")).collect();
    Arc::new(ServerTools::new(name, "", declared))
}

pub fn tool(name: &str, description: &str) -> Value {
    json!({ "name": name, "description": description, "inputSchema": { "type": "object" } })
}

pub async fn index(servers: &[Arc<ServerTools>]) -> Arc<dyn Index> {
    EmbeddingRouter::default().index(servers).await.expect("it needs no service")
}

pub async fn rank(index: &dyn Index, text: &str) -> Vec<Match> {
    let query = Query { text, limit: 10, min_score: 0.0, visible: &|_| true };
    index.rank(&query).await.expect("a ranking").matches
}

pub fn name(servers: &[Arc<ServerTools>], found: &Match) -> String {
    servers[found.tool.server as usize].tools()[found.tool.tool as usize].name().to_owned()
}
