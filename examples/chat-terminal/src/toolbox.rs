//! What a chat needs of a gateway.

use serde_json::{Map, Value};

/// A tool that a search found.
#[derive(Clone, Debug)]
pub struct FoundTool {
    /// The name to run it by.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
    /// How well it fits, 0 to 1.
    pub score: f64,
}

/// Finds tools and runs them.
#[expect(async_fn_in_trait, reason = "it is called where it was made, never across threads")]
pub trait Toolbox {
    /// The tools that fit `query` best, the best first. The error is for people.
    async fn search(&mut self, query: &str, limit: usize) -> Result<Vec<FoundTool>, String>;

    /// Runs a tool, and shows what it tells on the way. Returns MCP's `CallToolResult`, also where it reports an error;
    /// the error is for a tool that could not be run.
    async fn execute(&mut self, tool: &str, arguments: Map<String, Value>) -> Result<Value, String>;
}
