//! Tools: finding, listing, running.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Error, Result};

/// A search for tools.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SearchRequest {
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_score: Option<f64>,
}

impl SearchRequest {
    /// A search for what `query` says, in plain words.
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: query.into(), ..Self::default() }
    }

    /// With at most so many tools, 1 to 50; the gateway's default is 5.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Among the tools of these servers only, by name or UUID.
    #[must_use]
    pub fn with_servers(mut self, servers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.servers = Some(servers.into_iter().map(Into::into).collect());
        self
    }

    /// With no tool below this score, 0 to 1.
    #[must_use]
    pub fn with_min_score(mut self, min_score: f64) -> Self {
        self.min_score = Some(min_score);
        self
    }
}

/// What a search found.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SearchReply {
    /// The request's id.
    pub request_id: String,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the client has one.
    pub session_id: Option<String>,
    /// The router that ranked.
    pub router: String,
    /// How long ranking took, in milliseconds.
    pub took_ms: f64,
    /// The tools, best first. Empty where nothing is relevant.
    pub result: Vec<FoundTool>,
}

/// One tool that a search found.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct FoundTool {
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
    pub input_schema: Box<RawValue>,
    /// How well it fits, 0 to 1.
    pub match_score: f64,
    /// Why, in one line.
    pub reasoning: String,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ToolCall {
    tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

impl ToolCall {
    /// A call without arguments. The name is plain where only one server offers it, or qualified.
    pub fn new(tool_name: impl Into<String>) -> Self {
        Self { tool_name: tool_name.into(), ..Self::default() }
    }

    /// With arguments, an object.
    ///
    /// # Errors
    /// [`Error::Invalid`] where they cannot be written as JSON.
    pub fn with_arguments<T: Serialize + ?Sized>(mut self, arguments: &T) -> Result<Self> {
        let raw = serde_json::value::to_raw_value(arguments);
        self.args = Some(raw.map_err(|error| Error::Invalid(format!("the arguments are no JSON: {error}")))?);
        Ok(self)
    }

    /// With arguments that are JSON text; they arrive byte for byte.
    ///
    /// # Errors
    /// [`Error::Invalid`] where they are no JSON.
    pub fn with_arguments_text(self, text: &str) -> Result<Self> {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => Ok(Self { args: Some(raw.to_owned()), ..self }),
            Err(error) => Err(Error::Invalid(format!("the arguments are no JSON: {error}"))),
        }
    }

    /// At this server, by name or UUID.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<String>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// With a time limit, in milliseconds.
    #[must_use]
    pub fn with_timeout_ms(mut self, milliseconds: u64) -> Self {
        self.timeout_ms = Some(milliseconds);
        self
    }
}

/// The answer to a call.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ToolReply {
    /// The request's id.
    pub request_id: String,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// The session, where the client has one.
    pub session_id: Option<String>,
    /// What came of it.
    pub result: ToolResult,
}

/// What came of a call.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
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
    pub call_tool_result: Box<RawValue>,
}

/// The tools of a session.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ToolList {
    /// The tools, in a fixed order.
    pub tools: Vec<ToolEntry>,
    /// How many there are.
    pub total: usize,
    /// The session, where the client has one.
    pub session_id: Option<String>,
}

/// One tool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ToolEntry {
    /// The name of its server.
    pub mcp_server: String,
    /// The identity of its server.
    pub mcp_server_uuid: Uuid,
    /// Its name across servers.
    pub qualified_name: String,
    /// Its name at its server.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub input_schema: Box<RawValue>,
    /// All of it, with everything else that its server declared.
    pub raw: Box<RawValue>,
}

impl<'de> Deserialize<'de> for ToolEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Known {
            mcp_server: String,
            mcp_server_uuid: Uuid,
            qualified_name: String,
            name: String,
            description: String,
            #[serde(rename = "inputSchema")]
            input_schema: Box<RawValue>,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let known: Known = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
        Ok(Self {
            mcp_server: known.mcp_server,
            mcp_server_uuid: known.mcp_server_uuid,
            qualified_name: known.qualified_name,
            name: known.name,
            description: known.description,
            input_schema: known.input_schema,
            raw,
        })
    }
}
