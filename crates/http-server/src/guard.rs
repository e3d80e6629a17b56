//! The guard before all handlers: who may speak to the gateway at all.
//!
//! A gateway on loopback is reachable by every web page that its user opens. So each request is asked for
//! the name that it was sent to (against DNS rebinding) and for the page that sent it.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use gateway_core::{Credentials, ErrorKind, Secret};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use tracing::Instrument as _;

use crate::caller::{Caller, Connection, Page};
use crate::config::RestConfig;
use crate::door::Door;
use crate::head::Head;
use crate::names::{Host, Origins, Words};
use crate::problem::{Problem, render};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The rules, read once.
#[derive(Debug)]
pub(crate) struct Rules {
    hosts: Vec<String>,
    origins: Origins,
    admin_origins: Origins,
    header_limit_bytes: usize,
    max_headers: usize,
}

impl Rules {
    pub(crate) fn new(config: &RestConfig) -> Self {
        let origins = if config.allowed_origins.is_empty() {
            Origins::loopback()
        } else {
            Origins::new(&config.allowed_origins, Words::Meant)
        };
        Self {
            hosts: config.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            origins,
            admin_origins: Origins::new(&config.admin_origins, Words::Unknown),
            header_limit_bytes: config.header_limit_bytes,
            max_headers: config.max_headers,
        }
    }

    /// Whether the gateway is called by a name that it answers to; says whether it is a loopback one.
    fn host(&self, head: &Head<'_>, request: &Request, local: Option<IpAddr>) -> Result<bool, Problem> {
        let written = head.host.text("Host")?;
        let target = request.uri().authority().map(http::uri::Authority::as_str);
        let Some(first) = written.or(target) else {
            return Err(Problem::invalid("the header Host is missing"));
        };
        let mut loopback = true;
        // A target in absolute form has its own name; both must be right.
        for text in [Some(first), target].into_iter().flatten() {
            let Some(host) = Host::parse(text) else {
                return Err(Problem::invalid("the header Host is no host name"));
            };
            let is_loopback = host.is_loopback();
            let allowed = is_loopback
                || self.hosts.iter().any(|entry| host.matches(entry))
                || (local.is_some() && host.address() == local);
            if !allowed {
                return Err(Problem::forbidden(format!(
                    "the gateway does not answer to the host name {:?}; add it to server.allowed_hosts if it should",
                    host.name
                )));
            }
            loopback &= is_loopback;
        }
        Ok(loopback)
    }

    fn page(&self, head: &Head<'_>) -> Result<Page, Problem> {
        match head.origin.text("Origin")? {
            None if head.traces.browser => Ok(Page::Unnamed),
            None => Ok(Page::None),
            Some(origin) if self.admin_origins.contain(origin) => Ok(Page::Admin),
            Some(origin) if self.origins.contain(origin) => Ok(Page::Ordinary),
            Some(origin) => Err(Problem::forbidden(format!(
                "web pages of {origin:?} may not use this gateway; add the origin to server.allowed_origins if they may"
            ))),
        }
    }

    fn size(&self, head: &Head<'_>) -> Result<(), Problem> {
        let too_large =
            |message| Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
        if head.size.bytes > self.header_limit_bytes {
            return too_large(format!("the headers have more than {} bytes", self.header_limit_bytes));
        }
        if head.size.fields > self.max_headers {
            return too_large(format!("there are more than {} headers", self.max_headers));
        }
        Ok(())
    }

    fn check(
        &self,
        head: &Head<'_>,
        request: &Request,
        connection: Option<&Connection>,
        request_id: &str,
    ) -> Result<Caller, Problem> {
        self.size(head)?;
        let local_address = connection.and_then(|connection| connection.local).map(|local| local.ip().to_canonical());
        let loopback_host = self.host(head, request, local_address)?;
        let page = self.page(head)?;
        let loopback_peer = connection.is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback());
        // A proxy on this machine looks like a local program. Most say what they are; nginx as it comes
        // does not, but it speaks HTTP/1.0.
        let direct = !head.traces.proxy && request.version() >= Version::HTTP_11;
        Ok(Caller {
            request_id: request_id.to_owned(),
            session_id: head.session_id.text("X-Session-ID")?.map(|id| id.trim().to_owned()),
            credentials: Credentials {
                token: token(head)?,
                local: loopback_peer && loopback_host && direct && page == Page::None,
            },
            page,
            draining: connection.is_some_and(|connection| connection.draining.is_cancelled()),
            killed: connection.map(|connection| connection.killed.clone()),
        })
    }
}

/// The guard as axum's middleware, for the requests that axum routes.
pub(crate) async fn guard(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions_mut().remove::<Connection>();
    let path = request.extensions().get::<MatchedPath>().cloned();
    // The pattern, not the path: who knows a session's id may use it.
    let path = path.as_ref().map_or("unknown", MatchedPath::as_str);
    let handle = |caller, mut request: Request| {
        request.extensions_mut().insert::<Caller>(caller);
        next.run(request)
    };
    pass(&door, connection.as_ref(), path, request, handle).await
}

/// Lets a request through to its handler, or not; gives every answer its id, its CORS headers and, where
/// it failed, its body.
pub(crate) async fn pass<F, H>(
    door: &Door,
    connection: Option<&Connection>,
    path: &str,
    request: Request,
    handle: F,
) -> Response
where
    F: FnOnce(Caller, Request) -> H,
    H: Future<Output = Response>,
{
    let method = request.method().clone();
    let head = Head::of(&request);
    let request_id = head.request_id();
    let is_preflight = method == Method::OPTIONS && head.traces.preflight && head.origin.is_present();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let checked = door.rules().check(&head, &request, connection, &request_id);

    let mut allowed_origin = None;
    let response = match checked {
        Err(problem) => problem.into_response(),
        Ok(caller) => {
            allowed_origin = origin;
            if is_preflight {
                preflight(request.headers())
            } else {
                let span = tracing::debug_span!("rest", %request_id, %method, path);
                run(handle(caller, request), connection).instrument(span).await
            }
        }
    };
    let mut response = render(response, &request_id, &method);
    let headers = response.headers_mut();
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(X_REQUEST_ID, request_id);
    }
    if connection.is_some_and(|connection| connection.draining.is_cancelled()) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    share(headers, allowed_origin);
    response
}

/// Runs the handler until it answers, panics, or the gateway stops.
async fn run(handler: impl Future<Output = Response>, connection: Option<&Connection>) -> Response {
    let killed = async {
        match connection {
            Some(connection) => connection.killed.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        answered = AssertUnwindSafe(handler).catch_unwind() => answered.unwrap_or_else(|_| {
            Problem::of_kind(ErrorKind::Internal, "the gateway made a mistake; its log has more").into_response()
        }),
        () = killed => stopping().into_response(),
    }
}

/// The answer to a request that the end of the gateway overtook.
pub(crate) fn stopping() -> Problem {
    Problem::of_kind(ErrorKind::Unavailable, "the gateway is being stopped")
}

fn token(head: &Head<'_>) -> Result<Option<Secret>, Problem> {
    let bearer = head.authorization.text("Authorization")?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let api_key = head.api_key.text("X-API-Key")?.map(str::trim);
    match (bearer, api_key) {
        (Some(bearer), Some(key)) if bearer != key => {
            Err(Problem::invalid("Authorization and X-API-Key carry different keys; send one of them"))
        }
        (bearer, key) => Ok(bearer.or(key).map(Secret::new)),
    }
}

/// The answer to a browser that asks before it sends.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("X-Session-ID, X-Request-ID, Authorization, X-API-Key, Content-Type, Accept, Prefer"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if asked.contains_key("access-control-request-private-network") {
        headers
            .insert(HeaderName::from_static("access-control-allow-private-network"), HeaderValue::from_static("true"));
    }
    response
}

/// Headers for browsers: who may read the answer, and that nobody else may embed or guess at it.
fn share(headers: &mut HeaderMap, allowed_origin: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = allowed_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-Session-ID, X-Request-ID, Retry-After"),
        );
    }
}
