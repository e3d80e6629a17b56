//! Health, and failures.

use gateway_core::{RawJson, ServerState};
#[cfg(test)]
use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ByUuid, State};

/// How the gateway is. Callers who may not use it see `status` and `timestamp` only.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthAnswer<'a> {
    /// `degraded` where a server of the default session is out of order.
    #[schema(value_type = HealthStatus)]
    pub status: &'static str,
    /// Unix time in seconds.
    pub timestamp: f64,
    /// How many servers of the default session are connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connected_servers: Option<usize>,
    /// How many tools the default session has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_tools: Option<usize>,
    /// Live sessions, without the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sessions: Option<usize>,
    /// Programs that the gateway started and that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub processes: Option<usize>,
    /// The servers of the default session, by UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = std::collections::HashMap<String, ServerHealth<'static>>, required = false)]
    pub servers: Option<ByUuid<ServerHealth<'a>>>,
}

/// Whether all is in order.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the words of a field, as OpenAPI shows them")]
pub(crate) enum HealthStatus {
    /// It is.
    Healthy,
    /// A server is out of order.
    Degraded,
}

/// How a server is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerHealth<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is in its life.
    #[schema(value_type = State)]
    pub state: ServerState,
    /// How many tools it has.
    pub tool_count: usize,
    /// Why it last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<&'a str>,
}

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProbeAnswer {
    /// `alive` or `ready`.
    pub status: &'static str,
}

/// Why there is no other answer. `data` of an event `error`, too.
#[derive(Debug, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[cfg_attr(not(test), expect(dead_code, reason = "written by hand; the type is for OpenAPI and tests"))]
pub(crate) struct ProblemBody {
    /// What went wrong, in one sentence.
    pub error: String,
    /// What kind of failure it is.
    pub kind: String,
    /// The request's id.
    pub request_id: String,
    /// Always `error`.
    pub status: String,
    /// More, such as the candidates of an ambiguous name.
    #[schema(value_type = Object, required = false, nullable = false)]
    pub details: Option<RawJson>,
}
