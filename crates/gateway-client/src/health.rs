//! How the gateway is.

use std::collections::HashMap;

use serde::Deserialize;
use uuid::Uuid;

use crate::ServerState;

/// How the gateway is. Where it has a key and the client has none, only `status` and `timestamp` are told.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether all is in order.
    pub status: HealthStatus,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// How many servers of the default session are connected.
    pub connected_servers: Option<usize>,
    /// How many tools the default session has.
    pub total_tools: Option<usize>,
    /// Live sessions, without the default one.
    pub sessions: Option<usize>,
    /// Programs that the gateway started and that run.
    pub processes: Option<usize>,
    /// The servers of the default session.
    #[serde(default)]
    pub servers: HashMap<Uuid, ServerHealth>,
}

/// Whether all is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It is.
    Healthy,
    /// A server of the default session is out of order.
    Degraded,
}

/// How a server is.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ServerHealth {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: ServerState,
    /// How many tools it has.
    pub tool_count: usize,
    /// Why it last failed.
    pub last_error: Option<String>,
}
