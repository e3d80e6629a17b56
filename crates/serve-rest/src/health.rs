//! `/health`, the probes of orchestrators, and `/metrics`.

use std::time::SystemTime;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use gateway_core::ServerState;
use http_server::{Caller, Refusal};

use crate::answer;
use crate::door::Door;
use crate::openapi::{GuardRefusals, Refusals, Stopping};
use crate::problem::Problem;
use crate::time::unix_float;
use crate::wire::{ByUuid, HealthAnswer, ProbeAnswer, ServerHealth};

/// How the gateway is. Open to everybody, but only callers who may use the gateway see more than whether
/// all is in order.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "health",
    responses((status = 200, description = "how it is", body = HealthAnswer<'static>), GuardRefusals),
)]
pub(crate) async fn health(State(door): State<Door>, caller: Caller) -> Result<Response, Problem> {
    let health = door.gateway.health();
    let mut answer = HealthAnswer {
        status: if health.healthy { "healthy" } else { "degraded" },
        timestamp: unix_float(SystemTime::now()),
        connected_servers: None,
        total_tools: None,
        sessions: None,
        processes: None,
        servers: None,
    };
    // The default session's health; the session that the caller works in has nothing to do with it.
    if caller.without_session().admit(&door.gateway).await.is_ok() {
        let is_connected = |state: ServerState| matches!(state, ServerState::Ready | ServerState::Degraded);
        let servers = health.servers.iter().map(|server| {
            let entry = ServerHealth {
                name: server.spec.name(),
                state: server.state,
                tool_count: server.tools.len(),
                last_error: server.last_error.as_deref(),
            };
            (server.spec.uuid(), entry)
        });
        answer.connected_servers = Some(health.servers.iter().filter(|server| is_connected(server.state)).count());
        answer.total_tools = Some(health.total_tools);
        answer.sessions = Some(health.sessions);
        answer.processes = Some(health.processes);
        answer.servers = Some(ByUuid(servers.collect()));
    }
    answer::json(&answer)
}

/// Whether the process answers at all.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "health",
    responses((status = 200, description = "it does", body = ProbeAnswer), GuardRefusals),
)]
pub(crate) async fn livez() -> Result<Response, Problem> {
    answer::json(&ProbeAnswer { status: "alive" })
}

/// Whether the gateway takes requests. A server that is down makes it no less ready.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    responses((status = 200, description = "it does", body = ProbeAnswer), GuardRefusals, Stopping),
)]
pub(crate) async fn readyz(caller: Caller) -> Result<Response, Problem> {
    if caller.is_draining() {
        return Err(Refusal::stopping().into());
    }
    answer::json(&ProbeAnswer { status: "ready" })
}

/// Metrics for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "health",
    responses((status = 200, description = "the metrics", body = String, content_type = "application/openmetrics-text"), Refusals),
)]
pub(crate) async fn metrics(State(door): State<Door>, caller: Caller) -> Result<Response, Problem> {
    caller.without_session().admit(&door.gateway).await?;
    let metrics = door.metrics();
    Ok(answer::of_type(metrics.content_type(), Body::from(metrics.render())))
}
