//! Tools: finding, listing, running.

use gateway_core::RawJson;
#[cfg(test)]
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A search for tools.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read by `answer_json`; the type is for OpenAPI")]
pub(crate) struct SearchBody {
    /// What is wanted, in plain words; not empty.
    #[schema(required = true, nullable = false)]
    pub query: Option<String>,
    /// How many tools at most. 5 when absent.
    #[schema(nullable = false, minimum = 1, maximum = 50)]
    pub limit: Option<u64>,
    /// Only tools of these servers, by name or UUID.
    #[schema(nullable = false)]
    pub servers: Option<Vec<String>>,
    /// The lowest score that counts. 0 when absent.
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    pub min_score: Option<f64>,
}

/// What a search found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchAnswer<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// Always `completed`.
    pub status: &'static str,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<&'a str>,
    /// The router that ranked.
    pub router: &'a str,
    /// How long ranking took, in milliseconds.
    pub took_ms: f64,
    /// The tools, best first. Empty where nothing is relevant.
    #[schema(value_type = Vec<FoundTool>)]
    pub result: Vec<answer_json::Found<'a>>,
}

/// One tool that a search found.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "written by `answer_json`; the type is for OpenAPI")]
pub(crate) struct FoundTool {
    /// The name of its server.
    pub mcp_server: String,
    /// The identity of its server.
    pub mcp_server_uuid: Uuid,
    /// Its name at its server.
    pub tool_name: String,
    /// Its name across servers.
    pub qualified_name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    #[schema(value_type = Object)]
    pub input_schema: RawJson,
    /// How well it fits.
    #[schema(minimum = 0, maximum = 1)]
    pub match_score: f32,
    /// Why, in one line.
    pub reasoning: String,
}

/// A call of a tool.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "read by `answer_json`; the type is for OpenAPI")]
pub(crate) struct ExecuteBody {
    /// The tool: plain where only one server offers the name, or qualified with its server.
    #[schema(nullable = false)]
    pub tool_name: Option<String>,
    /// Another spelling of `tool_name`.
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The tool's arguments. `{}` when absent.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub args: Option<RawJson>,
    /// Another spelling of `args`.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub arguments: Option<RawJson>,
    /// The server, by name or UUID.
    #[schema(nullable = false)]
    pub server: Option<String>,
    /// The caller's own time limit, in milliseconds.
    #[schema(nullable = false, minimum = 1)]
    pub timeout_ms: Option<u64>,
}

/// A tool's answer. `data` of an event `result`, too.
#[derive(Debug, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[cfg_attr(not(test), expect(dead_code, reason = "written by hand; the type is for OpenAPI and tests"))]
pub(crate) struct ExecuteAnswer {
    /// The request's id.
    pub request_id: String,
    /// Always `completed`.
    pub status: String,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the request named one.
    #[schema(nullable = false)]
    pub session_id: Option<String>,
    /// What came of it.
    pub result: ExecuteResult,
}

/// What came of a call.
#[derive(Debug, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[cfg_attr(not(test), expect(dead_code, reason = "written by hand; the type is for OpenAPI and tests"))]
pub(crate) struct ExecuteResult {
    /// `false` where the tool itself reported an error.
    pub success: bool,
    /// The name of the server that ran it.
    pub server: String,
    /// The identity of the server.
    pub server_uuid: Uuid,
    /// The tool's name at its server.
    pub tool: String,
    /// The text parts of the result, joined by newlines.
    pub content: String,
    /// The server's `CallToolResult`, byte for byte.
    #[schema(value_type = Object)]
    pub call_tool_result: RawJson,
}

/// The tools of a session.
#[derive(Debug, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[cfg_attr(not(test), expect(dead_code, reason = "written by hand; the type is for OpenAPI and tests"))]
pub(crate) struct ToolsAnswer {
    /// The tools, in a fixed order.
    pub tools: Vec<ListedTool>,
    /// How many there are.
    pub total: usize,
    /// The session, where the request named one.
    #[schema(nullable = false)]
    pub session_id: Option<String>,
}

/// One tool. Besides these fields it has all others that its server declared.
#[derive(Debug, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(not(test), expect(dead_code, reason = "written by hand; the type is for OpenAPI and tests"))]
pub(crate) struct ListedTool {
    /// The name of its server.
    #[serde(rename = "mcp_server")]
    pub mcp_server: String,
    /// The identity of its server.
    #[serde(rename = "mcp_server_uuid")]
    pub mcp_server_uuid: Uuid,
    /// Its name across servers.
    #[serde(rename = "qualified_name")]
    pub qualified_name: String,
    /// Its name at its server.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    #[schema(value_type = Object)]
    pub input_schema: RawJson,
}
