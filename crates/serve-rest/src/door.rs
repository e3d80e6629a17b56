//! The door: which path leads where.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt as _;
use gateway_core::{ErrorKind, Gateway};
use http::Method;
use hyper::body::Incoming;
use tower::Service as _;

use crate::caller::Connection;
use crate::config::RestConfig;
use crate::guard::{Rules, guard, pass};
use crate::problem::Problem;
use crate::{execute, health, openapi, search, servers, sessions, tools};

/// Writes the metrics of the whole gateway.
#[derive(Clone)]
pub struct Metrics {
    content_type: &'static str,
    render: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Metrics {
    /// Metrics that `render` writes in the format `content_type`, a media type with its parameters.
    pub fn new(content_type: &'static str, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { content_type, render: Arc::new(render) }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        self.content_type
    }

    pub(crate) fn render(&self) -> String {
        (self.render)()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

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

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.fixed.metrics
    }
}

/// The path that most requests take.
const EXECUTE: &str = "/mcp/execute";

/// The REST door of a gateway: every path of `docs/rest-api.md`, behind the checks of its configuration.
#[derive(Clone, Debug)]
pub struct RestDoor {
    door: Door,
    router: Router,
}

impl RestDoor {
    /// The door of `gateway`. Hand it to [`serve`](crate::serve).
    pub fn new(gateway: Gateway, config: RestConfig, metrics: Metrics) -> Self {
        let rules = Rules::new(&config);
        let door = Door { gateway, fixed: Arc::new(Fixed { config, rules, metrics }) };
        Self { router: router(door.clone()), door }
    }

    /// The door for another server than [`serve`](crate::serve). There no caller counts as local, so nobody
    /// adds `command` servers without a key.
    pub fn into_router(self) -> Router {
        self.router
    }

    pub(crate) fn config(&self) -> &RestConfig {
        self.door.config()
    }

    /// Answers one request that came on `connection`.
    pub(crate) async fn answer(&self, request: hyper::Request<Incoming>, connection: &Connection) -> Response {
        let mut request = request.map(Body::new);
        if request.method() == Method::POST && request.uri().path() == EXECUTE {
            // Past axum's router and its boxed middleware, which take a tenth of the gateway's own time in
            // a call. Same guard, same handler.
            let door = &self.door;
            let handle = |caller, request| {
                execute::execute(State(door.clone()), caller, request).map(IntoResponse::into_response)
            };
            return pass(door, Some(connection), EXECUTE, request, handle).await;
        }
        request.extensions_mut().insert(connection.clone());
        let Ok(response) = self.router.clone().call(request).await;
        response
    }
}

fn router(door: Door) -> Router {
    Router::new()
        .route(EXECUTE, post(execute::execute))
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
