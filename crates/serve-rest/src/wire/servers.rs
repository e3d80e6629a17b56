//! Servers: listing, adding, removing.

use gateway_core::{RawJson, ServerState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ByUuid;

/// The servers of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServersAnswer<'a> {
    /// The servers by UUID.
    #[schema(value_type = std::collections::HashMap<String, ListedServer<'static>>)]
    pub servers: ByUuid<ListedServer<'a>>,
    /// How many there are.
    pub total: usize,
    /// The session, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<&'a str>,
}

/// One server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedServer<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is reached: `stdio`, `http`.
    pub transport: &'a str,
    /// How many tools it has.
    pub tool_count: usize,
    /// Their names.
    pub tools: &'a [String],
    /// Where it is in its life.
    #[schema(value_type = State)]
    pub state: ServerState,
    /// Why it last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<&'a str>,
    /// The last lines that it wrote to its standard error, the oldest first; at most 4 KiB.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    pub stderr_tail: &'a [String],
    /// The program, where it is one that the gateway starts. Never its arguments or variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub command: Option<&'a str>,
    /// The address, where it is on the network. Never a password or query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<&'a str>,
    /// Whether sessions share one connection to it.
    pub shared: bool,
    /// The protocol revision in use, where connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub protocol_version: Option<&'a str>,
    /// Its process, where the gateway started it and it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub process_id: Option<u32>,
    /// Declarations of it that are no tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub rejected_tools: Vec<RejectedTool<'a>>,
    /// Remarks about its list of tools.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    pub warnings: &'a [String],
}

/// Where a server is in its life.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the engine's own type, as OpenAPI shows it")]
pub(crate) enum State {
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
}

/// A declaration that is no tool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RejectedTool<'a> {
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<&'a str>,
    /// What is wrong with it.
    pub reason: &'a str,
}

/// Servers to be added: one of the two fields.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddServersBody<'a> {
    /// `{"mcpServers": {...}}`, as JSON text or as the object itself.
    #[serde(borrow)]
    #[schema(value_type = ConfigData, required = false, nullable = false)]
    pub config_data: Option<&'a RawValue>,
    /// The servers themselves.
    #[serde(borrow, rename = "mcpServers")]
    #[schema(value_type = Object, required = false, nullable = false)]
    pub mcp_servers: Option<&'a RawValue>,
}

/// `{"mcpServers": {...}}`, as JSON text or as the object itself.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the two shapes of a field, as OpenAPI shows them")]
pub(crate) enum ConfigData {
    /// As JSON text.
    Text(String),
    /// As an object.
    #[schema(value_type = Object)]
    Object(RawJson),
}

/// What adding servers did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddServersAnswer<'a> {
    /// Whether all of them are there now.
    pub success: bool,
    /// The servers that are there now.
    pub added_servers: Vec<AddedServer<'a>>,
    /// Those that are not.
    pub failed_servers: Vec<FailedServer<'a>>,
    /// How many servers there are now.
    pub total_servers: usize,
    /// The session, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<&'a str>,
    /// How many servers the session has now, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_servers_in_session: Option<usize>,
}

/// A server that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedServer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its identity.
    pub uuid: Uuid,
    /// The program, where it is one that the gateway starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub command: Option<&'a str>,
    /// The address, where it is on the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<&'a str>,
    /// How it is reached.
    pub transport: &'a str,
    /// How many tools it has.
    pub tools_count: usize,
    /// Where it is in its life.
    #[schema(value_type = State)]
    pub state: ServerState,
}

/// A server that was not added.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedServer<'a> {
    /// Its name.
    pub name: &'a str,
    /// Why.
    pub error: &'a str,
}

/// Which server to remove: one of the two fields.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RemoveServerBody {
    /// Its identity. Counts where both are given.
    #[schema(nullable = false)]
    pub server_uuid: Option<String>,
    /// Its name.
    #[schema(nullable = false)]
    pub server_name: Option<String>,
}

/// What removing a server did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemoveServerAnswer<'a> {
    /// Always `true`.
    pub success: bool,
    /// The name of the server that is gone.
    pub removed_server: &'a str,
    /// Its identity.
    pub removed_server_uuid: Uuid,
    /// How many tools went with it.
    pub removed_tools_count: usize,
    /// The names of the servers that are left, by UUID.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub remaining_servers: ByUuid<&'a str>,
    /// How many servers are left.
    pub total_servers: usize,
    /// The session, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<&'a str>,
    /// How many servers are left in the session, where the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub remaining_servers_in_session: Option<usize>,
}
