//! What doors ask the engine, and what it answers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::{Declaration, Era, RawJson, RejectedTool, ServerSpec, ServerState, Tool};

/// A search for tools.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What is wanted, in plain words; not empty.
    pub query: String,
    /// How many at most, 1..=50.
    pub limit: usize,
    /// Only tools of these servers (name or UUID); all when `None`.
    pub servers: Option<Vec<String>>,
    /// The lowest score that counts, 0..=1.
    pub min_score: f32,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct SearchReply {
    /// Which router ranked.
    pub router: String,
    /// How long ranking took.
    pub took: Duration,
    /// The tools, best first.
    pub matches: Vec<FoundTool>,
}

/// One tool that a search found.
#[derive(Clone, Debug)]
pub struct FoundTool {
    /// The tool and its server.
    pub tool: ToolEntry,
    /// How well it fits, 0..=1.
    pub score: f32,
    /// Why, in one line.
    pub reasoning: String,
}

/// One tool of a session's catalogue.
#[derive(Clone, Debug)]
pub struct ToolEntry {
    /// Its server's name.
    pub server: Arc<str>,
    /// Its server's identity.
    pub server_uuid: Uuid,
    /// Its name across servers: `server__tool`.
    pub qualified_name: Arc<str>,
    /// The tool.
    pub tool: Arc<Tool>,
}

/// One prompt, resource or resource template of a session.
#[derive(Clone, Debug)]
pub struct OfferEntry {
    /// Its server's name.
    pub server: Arc<str>,
    /// Its server's identity.
    pub server_uuid: Uuid,
    /// What it is called by across servers: a name, a URI or a URI template.
    pub key: Arc<str>,
    /// As its server declared it.
    pub declaration: Arc<Declaration>,
}

/// What a request to one of a session's servers is about, by its name or URI across servers, or at its
/// server where only one has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prompt, by name.
    Prompt(String),
    /// A resource, by URI; it need not be in a list.
    Resource(String),
    /// A resource template, by its text.
    ResourceTemplate(String),
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// Plain (`echo`) where only one server offers it, or qualified (`demo__echo`).
    pub name: String,
    /// The server, by name or UUID.
    pub server: Option<String>,
    /// The arguments, an object.
    pub arguments: RawJson,
    /// What else the request's `params` carry, an object without `name` and `arguments`: `_meta`,
    /// `inputResponses`.
    pub extra: RawJson,
}

impl ToolCall {
    /// A call of `name` with `arguments`, an object.
    pub fn new(name: impl Into<String>, arguments: RawJson) -> Self {
        Self { name: name.into(), server: None, arguments, extra: RawJson::empty_object() }
    }

    /// At this server, by name or UUID.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<String>) -> Self {
        self.server = Some(server.into());
        self
    }

    /// With these members in its `params`, an object.
    #[must_use]
    pub fn with_extra(mut self, extra: RawJson) -> Self {
        self.extra = extra;
        self
    }
}

/// A tool's answer.
#[derive(Clone, Debug)]
pub struct ToolReply {
    /// The name of the server that ran it.
    pub server: Arc<str>,
    /// The server's identity.
    pub server_uuid: Uuid,
    /// The tool.
    pub tool: Arc<Tool>,
    /// The upstream's `CallToolResult`, byte for byte.
    pub result: RawJson,
    /// The era of the protocol that it is written in.
    pub era: Era,
}

/// A server of a session, for people who look after it.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// What it is.
    pub spec: Arc<ServerSpec>,
    /// Where it is in its life.
    pub state: ServerState,
    /// Why it last failed.
    pub last_error: Option<String>,
    /// The last lines that it wrote to its standard error, in this process, the oldest first; at most 4 KiB.
    pub stderr_tail: Vec<String>,
    /// Its tools' names.
    pub tools: Vec<String>,
    /// Declarations that were no tools.
    pub rejected: Vec<RejectedTool>,
    /// Remarks about its tool list.
    pub warnings: Vec<String>,
    /// The protocol revision in use, where connected.
    pub protocol_version: Option<String>,
    /// Its process, where the gateway started it and it runs.
    pub process_id: Option<u32>,
    /// What it says of itself: title, description, instructions; may be empty.
    pub about: String,
}

/// What adding servers did.
#[derive(Clone, Debug, Default)]
pub struct AddReport {
    /// The servers that are there now.
    pub added: Vec<ServerStatus>,
    /// Names of those that are not, each with the reason.
    pub failed: Vec<(String, String)>,
    /// How many servers the session has now.
    pub total: usize,
}

/// What removing a server did.
#[derive(Clone, Debug)]
pub struct RemoveReport {
    /// The server that is gone.
    pub removed: Arc<ServerSpec>,
    /// How many tools went with it.
    pub removed_tools: usize,
    /// The servers that are left.
    pub remaining: Vec<Arc<ServerSpec>>,
}

/// Which server to remove.
#[derive(Clone, Debug)]
pub enum ServerSelector {
    /// By identity.
    Uuid(Uuid),
    /// By name.
    Name(String),
}

/// A session to be made.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// Whatever the caller wants to keep with it, an object.
    pub metadata: Option<RawJson>,
    /// How long it lives without use; the configured default when absent.
    pub ttl: Option<Duration>,
}

/// A session, for people who look after it.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    /// Its id: `sess_` and 40 hex digits.
    pub id: String,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it was last used.
    pub last_accessed: SystemTime,
    /// When it ends unless it is used.
    pub expires_at: SystemTime,
    /// What its maker keeps with it, an object.
    pub metadata: RawJson,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
}

/// How the gateway is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether every enabled server of the default session is in order.
    pub healthy: bool,
    /// The servers of the default session.
    pub servers: Vec<ServerStatus>,
    /// Tools in the default session's catalogue.
    pub total_tools: usize,
    /// Live sessions, without the default one.
    pub sessions: usize,
    /// Child processes under way.
    pub processes: usize,
}
