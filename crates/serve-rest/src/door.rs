//! The door: which path leads where.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use gateway_core::{CommandServers, Context, ErrorKind, Gateway};

use crate::caller::Caller;
use crate::config::RestConfig;
use crate::guard::{Rules, guard};
use crate::problem::Problem;
use crate::{execute, health, openapi, search, servers, sessions, tools};

/// Writes the metrics of the whole gateway in Prometheus' text format.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What every handler has.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub gateway: Gateway,
    fixed: Arc<Fixed>,
}

struct Fixed {
    config: RestConfig,
    rules: Rules,
    metrics: Metrics,
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixed").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Door {
    pub(crate) fn config(&self) -> &RestConfig {
        &self.fixed.config
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.fixed.rules
    }

    pub(crate) fn metrics(&self) -> String {
        (self.fixed.metrics)()
    }

    /// Whether a caller may use `${VAR}` in the servers that they add: those who may add programs, which
    /// read the environment anyway.
    pub(crate) fn may_read_environment(&self, caller: &Caller, context: &Context) -> bool {
        let authenticated = context.principal().authenticated;
        match self.fixed.config.command_servers {
            CommandServers::Local => authenticated || caller.credentials.local,
            CommandServers::Authenticated => authenticated,
            CommandServers::Never => false,
        }
    }
}

/// The REST door of `gateway`: every path of `docs/rest-api.md`, behind the checks of `config`.
///
/// Hand it to [`serve`](crate::serve), which tells it who is at the other end of a connection. Under another
/// server no caller counts as local, so nobody adds `command` servers without a key.
pub fn router(gateway: Gateway, config: RestConfig, metrics: Metrics) -> Router {
    let rules = Rules::new(&config);
    let door = Door { gateway, fixed: Arc::new(Fixed { config, rules, metrics }) };
    Router::new()
        .route("/mcp/execute", post(execute::execute))
        .route("/mcp/search", post(search::search))
        .route("/mcp/tools", get(tools::list))
        .route("/mcp/servers", get(servers::list))
        .route("/mcp/servers/add", post(servers::add))
        .route("/mcp/servers/remove", post(servers::remove))
        .route("/sessions", get(sessions::list))
        .route("/sessions/create", post(sessions::create))
        .route("/sessions/{id}", get(sessions::show).delete(sessions::delete))
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        // The original's spellings.
        .route("/tools", get(tools::list))
        .route("/tool", post(execute::execute))
        .route("/add-server", post(servers::add))
        .fallback(no_such_path)
        .layer(from_fn_with_state(door.clone(), guard))
        .with_state(door)
}

async fn no_such_path() -> Problem {
    Problem::of_kind(ErrorKind::NotFound, "there is no such path; GET /openapi.json lists those that exist")
}
