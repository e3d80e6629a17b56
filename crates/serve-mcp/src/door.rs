//! The door: which HTTP request is what in MCP.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use gateway_core::{Error, Gateway};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_server::{Answer, Caller, HttpDoor, Refusal, check_json_type, read_body, status_of};
use mcp_wire::{Id, Message, Revision, code};
use tokio_util::sync::CancellationToken;

use crate::client::Sender;
use crate::config::McpConfig;
use crate::core::Core;
use crate::failure::Failure;
use crate::head::Head;
use crate::{legacy, modern};

/// Where the door is.
const PATH: &str = "/mcp";

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The MCP door of a gateway, over Streamable HTTP at `/mcp` and over [stdio](crate::serve_stdio).
///
/// Somebody must [tend](Self::tend) it while it is used.
#[derive(Clone, Debug)]
pub struct McpDoor {
    pub(crate) core: Arc<Core>,
}

/// One HTTP request, read.
pub(crate) struct Incoming {
    pub(crate) core: Arc<Core>,
    pub(crate) caller: Caller,
    pub(crate) sender: Sender,
    pub(crate) head: Head,
}

impl McpDoor {
    /// The door of `gateway`.
    pub fn new(gateway: Gateway, config: McpConfig) -> Self {
        Self { core: Arc::new(Core::new(gateway, config)) }
    }

    /// Looks after sessions, streams and calls that wait, until `stop` is cancelled; then ends them all.
    pub async fn tend(&self, stop: &CancellationToken) {
        self.core.tend(stop).await;
    }
}

impl HttpDoor for McpDoor {
    fn serves(&self, path: &str) -> bool {
        is_ours(path)
    }

    fn answer(&self, caller: Caller, request: Request<Body>) -> Answer<'_> {
        let core = Arc::clone(&self.core);
        Box::pin(async move {
            match handle(core, caller, request).await {
                Ok(response) => response,
                Err(rejected) => rejected.into_response(),
            }
        })
    }

    fn refuse(&self, refusal: Refusal, _request_id: &str, _method: &Method) -> Response<Body> {
        tracing::debug!(status = refusal.status.as_u16(), kind = refusal.kind, "a request was refused");
        let failure = Failure::new(code::INVALID_REQUEST, refusal.message);
        Rejected::new(refusal.status, failure).into_response()
    }
}

/// A request that has no answer but its failure.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) status: StatusCode,
    pub(crate) id: Id,
    pub(crate) failure: Box<Failure>,
}

impl Rejected {
    pub(crate) fn new(status: StatusCode, failure: Failure) -> Self {
        Self { status, id: Id::null(), failure: Box::new(failure) }
    }

    /// In answer to the request `id`, with the status that a modern client expects.
    pub(crate) fn answering(id: Id, failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, id, failure: Box::new(failure) }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut text = Vec::new();
        self.failure.write(&mut text, &self.id);
        let mut response = json(self.status, text);
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let seconds = self.failure.retry_after_ms().unwrap_or(1000).div_ceil(1000).max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, Failure::new(code::INVALID_REQUEST, refusal.message))
    }
}

impl From<Error> for Rejected {
    /// For what goes wrong before there is a message to answer.
    fn from(error: Error) -> Self {
        Self::new(status_of(error.kind()), error.into())
    }
}

async fn handle(core: Arc<Core>, caller: Caller, request: Request<Body>) -> Result<Response<Body>, Rejected> {
    let (parts, body) = request.into_parts();
    if !is_ours(parts.uri.path()) {
        // Where no other door takes the rest.
        let failure = Failure::new(code::INVALID_REQUEST, format!("there is nothing here; MCP is at {PATH}"));
        return Err(Rejected::new(StatusCode::NOT_FOUND, failure));
    }
    let head =
        Head::of(&parts.headers, &parts.uri).map_err(|failure| Rejected::new(StatusCode::BAD_REQUEST, failure))?;
    let session_id = head.gateway_session.clone().or_else(|| caller.session_id.clone());
    let (credentials, trace) = (caller.credentials.clone(), caller.trace.clone());
    let sender = Sender { request_id: Arc::clone(&caller.request_id), credentials, session_id, trace };
    let incoming = Incoming { core, caller, sender, head };
    match parts.method {
        Method::POST => {
            check_json_type(&parts.headers, incoming.caller.page)?;
            let (core, caller) = (&incoming.core, &incoming.caller);
            let text = read_body(&core.gateway, caller, &parts.headers, body, core.config.body).await?;
            post(incoming, text).await
        }
        Method::GET => legacy::listen(incoming).await,
        Method::DELETE => legacy::leave(incoming).await,
        _ => {
            let failure = Failure::new(code::INVALID_REQUEST, "only POST, GET and DELETE mean something here");
            let mut response = Rejected::new(StatusCode::METHOD_NOT_ALLOWED, failure).into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
            Ok(response)
        }
    }
}

/// Many write the address with a slash at its end.
fn is_ours(path: &str) -> bool {
    path.strip_suffix('/').unwrap_or(path) == PATH
}

async fn post(incoming: Incoming, text: Bytes) -> Result<Response<Body>, Rejected> {
    if !incoming.head.accepts_json && !incoming.head.accepts_events {
        let failure =
            Failure::new(code::INVALID_REQUEST, "the header Accept must have application/json and text/event-stream");
        return Err(Rejected::new(StatusCode::NOT_ACCEPTABLE, failure));
    }
    if Message::is_batch(&text) && is_json(&text) {
        return legacy::batch(incoming, &text).await;
    }
    let message = parse(&text)?;
    if modern::is_modern(&incoming.head, &message) {
        return modern::post(incoming, message).await;
    }
    legacy::post(incoming, message).await
}

/// Reads one message.
///
/// # Errors
/// -32700 and -32600.
pub(crate) fn parse(text: &Bytes) -> Result<Message, Rejected> {
    let rejected = |failure| Rejected::new(StatusCode::BAD_REQUEST, failure);
    let message = Message::parse(text).map_err(|_| {
        rejected(match is_json(text) {
            true => Failure::new(code::INVALID_REQUEST, "this is no JSON-RPC request, notification or response"),
            false => Failure::new(code::PARSE_ERROR, "this is not JSON"),
        })
    })?;
    if !has_good_id(&message) {
        return Err(rejected(Failure::new(code::INVALID_REQUEST, "`id` must be a text or a number")));
    }
    Ok(message)
}

/// Whether a message has no id, or one that can be a request's (MCP, "Requests": never null).
pub(crate) fn has_good_id(message: &Message) -> bool {
    let Message::Request { id: Id::Other(raw), .. } = message else { return true };
    raw.as_str().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// Whether a revision may be named by a client that has, or needs, no modern `_meta`.
pub(crate) fn is_legacy_version(version: &str) -> bool {
    Revision::parse(version).is_some_and(|revision| revision != Revision::MODERN)
}

pub(crate) fn json(status: StatusCode, text: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110, 15.5.2: whoever is refused is told how to come in.
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gateway\""));
    }
    response
}

pub(crate) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // Nginx holds streams back otherwise.
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
