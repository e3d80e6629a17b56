//! Servers: listing, adding, removing.

use std::collections::HashMap;

use serde::Deserialize;
use uuid::Uuid;

/// The servers of a session.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ServerList {
    /// The servers by UUID.
    pub servers: HashMap<Uuid, ServerEntry>,
    /// The session, where the client has one.
    pub session_id: Option<String>,
}

/// One server.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ServerEntry {
    /// Its name.
    pub name: String,
    /// How it is reached: `stdio`, `http`.
    pub transport: String,
    /// How many tools it has.
    pub tool_count: usize,
    /// Their names.
    pub tools: Vec<String>,
    /// Where it is in its life.
    pub state: ServerState,
    /// Why it last failed.
    pub last_error: Option<String>,
    /// The program, where it is one that the gateway starts.
    pub command: Option<String>,
    /// The address, where it is on the network.
    pub url: Option<String>,
    /// Whether sessions share one connection to it.
    #[serde(default)]
    pub shared: bool,
    /// The protocol revision in use, where connected.
    pub protocol_version: Option<String>,
    /// Its process, where the gateway started it and it runs.
    pub process_id: Option<u32>,
    /// Declarations of it that are no tools.
    #[serde(default)]
    pub rejected_tools: Vec<RejectedTool>,
    /// Remarks about its list of tools.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A declaration that is no tool.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RejectedTool {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerState {
    /// Switched off.
    Disabled,
    /// Connected when somebody needs it.
    Idle,
    /// Being connected.
    Connecting,
    /// Connected.
    Ready,
    /// Connected, but not in order.
    Degraded,
    /// Lost or not reached; tried again soon.
    BackingOff,
    /// Can never work as it is configured.
    Failed,
    /// One that this client does not know yet.
    #[serde(other)]
    Unknown,
}

/// What adding servers did.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AddServersReply {
    /// Whether all of them are there now.
    pub success: bool,
    /// The servers that are there now.
    pub added_servers: Vec<AddedServer>,
    /// Those that are not.
    pub failed_servers: Vec<FailedServer>,
    /// How many servers there are now.
    pub total_servers: usize,
    /// The session, where the client has one.
    pub session_id: Option<String>,
    /// How many servers the session has now, where the client has one.
    pub total_servers_in_session: Option<usize>,
}

/// A server that was added.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct AddedServer {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uuid: Uuid,
    /// The program, where it is one that the gateway starts.
    pub command: Option<String>,
    /// The address, where it is on the network.
    pub url: Option<String>,
    /// How it is reached.
    pub transport: String,
    /// How many tools it has.
    pub tools_count: usize,
}

/// A server that was not added.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct FailedServer {
    /// Its name.
    pub name: String,
    /// Why.
    pub error: String,
}

/// What removing a server did.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct RemoveServerReply {
    /// The name of the server that is gone.
    pub removed_server: String,
    /// Its identity.
    pub removed_server_uuid: Uuid,
    /// How many tools went with it.
    pub removed_tools_count: usize,
    /// The names of the servers that are left.
    pub remaining_servers: HashMap<Uuid, String>,
    /// How many servers are left.
    pub total_servers: usize,
    /// The session, where the client has one.
    pub session_id: Option<String>,
}
