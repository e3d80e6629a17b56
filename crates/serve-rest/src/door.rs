//! The door: which path leads where.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use gateway_core::{ErrorKind, Gateway, Queue, Usage};
use http::Method;
use http_server::{Answer, Caller, HttpDoor, HttpServer, HttpServerConfig, Refusal};
use tower::Service as _;
use tracing::{Instrument as _, Span};

use crate::config::RestConfig;
use crate::problem::{Problem, render};
use crate::{execute, health, openapi, requests, search, servers, sessions, spans, tools, usage};

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
    queue: Option<Arc<dyn Queue>>,
    fixed: Arc<Fixed>,
}

#[derive(Clone)]
struct Fixed {
    config: RestConfig,
    metrics: Metrics,
    usage: Option<Arc<dyn Usage>>,
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

    /// Where requests go that are answered later.
    pub(crate) fn queue(&self) -> Option<&dyn Queue> {
        self.queue.as_deref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.fixed.metrics
    }

    pub(crate) fn usage(&self) -> Option<&Arc<dyn Usage>> {
        self.fixed.usage.as_ref()
    }
}

/// The path that most requests take.
const EXECUTE: &str = "/mcp/execute";

/// The REST door of a gateway: every path of `docs/rest-api.md`.
#[derive(Clone, Debug)]
pub struct RestDoor {
    door: Door,
    router: Router,
}

impl RestDoor {
    /// The door of `gateway`. Hand it to an [`HttpServer`].
    pub fn new(gateway: Gateway, config: RestConfig, metrics: Metrics) -> Self {
        let door = Door { gateway, queue: None, fixed: Arc::new(Fixed { config, metrics, usage: None }) };
        Self { router: router(door.clone()), door }
    }

    /// With a queue for requests that their callers want answered later. Somebody must work on it; jobs say with `caller` whose they
    /// are, and must run with no other caller's rights.
    #[must_use]
    pub fn with_queue(self, queue: Arc<dyn Queue>) -> Self {
        let door = Door { queue: Some(queue), ..self.door };
        Self { router: router(door.clone()), door }
    }

    /// With an answer to `/usage`, which is 404 otherwise.
    #[must_use]
    pub fn with_usage(self, usage: Arc<dyn Usage>) -> Self {
        let fixed = Fixed { usage: Some(usage), ..Fixed::clone(&self.door.fixed) };
        let door = Door { fixed: Arc::new(fixed), ..self.door };
        Self { router: router(door.clone()), door }
    }

    /// The door for another server than [`http_server::serve`], behind the guard of `config`. There no caller
    /// counts as local, so nobody adds `command` servers without a key.
    pub fn into_router(self, config: HttpServerConfig) -> Router {
        let server = HttpServer::new(config, Arc::new(self));
        Router::new().fallback(async move |request: Request| server.answer(request).await)
    }
}

impl HttpDoor for RestDoor {
    /// Every path: this door says what is not there, too.
    fn serves(&self, _: &str) -> bool {
        true
    }

    fn answer(&self, mut caller: Caller, mut request: Request) -> Answer<'_> {
        caller.door = "rest";
        Box::pin(async move {
            let request_id = Arc::clone(&caller.request_id);
            let method = request.method().clone();
            let response = if method == Method::POST && request.uri().path() == EXECUTE {
                // Past axum's router and its boxed middleware, which take a tenth of the gateway's own time in
                // a call. Same handler.
                let traced = spans::begin(&self.door.gateway, &mut caller, &method, EXECUTE);
                let answer = execute::execute(State(self.door.clone()), caller, request);
                let response = answer.instrument(span(&request_id, &method, EXECUTE)).await.into_response();
                spans::end(traced, &response);
                response
            } else {
                request.extensions_mut().insert(caller);
                let Ok(response) = self.router.clone().call(request).await;
                response
            };
            render(response, &request_id, &method)
        })
    }

    fn refuse(&self, refusal: Refusal, request_id: &str, method: &Method) -> Response {
        render(Problem::from(refusal).into_response(), request_id, method)
    }
}

fn router(door: Door) -> Router {
    Router::new()
        .route(EXECUTE, post(execute::execute))
        .route("/mcp/search", post(search::search))
        .route("/mcp/requests/{id}", get(requests::show))
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
        .route("/usage", get(usage::usage))
        .route("/openapi.json", get(openapi::document))
        // The original's spellings.
        .route("/tools", get(tools::list))
        .route("/tool", post(execute::execute))
        .route("/add-server", post(servers::add))
        .fallback(no_such_path)
        .layer(from_fn_with_state(door.clone(), trace))
        .with_state(door)
}

/// Handles a request in its span.
async fn trace(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    // The pattern, not the path: who knows a session's id may use it.
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let path = pattern.as_ref().map_or("unknown", MatchedPath::as_str);
    let method = request.method().clone();
    let caller: Option<&mut Caller> = request.extensions_mut().get_mut();
    let (span, traced) = match caller {
        None => (span("", &method, path), None),
        Some(caller) => (span(&caller.request_id, &method, path), spans::begin(&door.gateway, caller, &method, path)),
    };
    let response = next.run(request).instrument(span).await;
    spans::end(traced, &response);
    response
}

fn span(request_id: &str, method: &Method, path: &str) -> Span {
    tracing::debug_span!("rest", %request_id, %method, path)
}

async fn no_such_path() -> Problem {
    Problem::of_kind(ErrorKind::NotFound, "there is no such path; GET /openapi.json lists those that exist")
}
