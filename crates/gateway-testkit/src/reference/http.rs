//! The reference server over Streamable HTTP, at `/mcp`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::Server;
use super::conformance::{self, Body, Place};
use super::connections::serve_connections;
use super::peer::{Arrival, Kind, Peer};
use super::server::{Frame, Outlet, lock};
use super::wire::{
    Envelope, Fault, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, LEGACY_VERSIONS, MODERN_VERSION, PARSE_ERROR,
    Params, SERVER_ERROR,
};

/// Largest request body, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;

/// The first revision whose clients know events without data.
const PRIMING_SINCE: &str = "2025-11-25";

/// What `--noise` puts before every event.
const NOISE: &str = ": a comment\nretry: 100\n\nevent: unheard-of\ndata: {\"x\":1}\n\nid: 7\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":\"nobody asked\",\"result\":{}}\n\n";

/// Serves clients on `listener` until `shutdown` ends; what is under way then is dropped.
///
/// # Errors
/// Where no connection can be accepted any more.
pub async fn serve_http(
    server: &Arc<Server>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let door = Arc::new(Door {
        anybody: Peer::new(server, Kind::Anybody),
        server: Arc::clone(server),
        sessions: Mutex::default(),
    });
    let answer = move |request| {
        let door = Arc::clone(&door);
        async move { door.answer(request).await }
    };
    serve_connections(server, listener, shutdown, answer).await
}

struct Door {
    server: Arc<Server>,
    sessions: Mutex<HashMap<String, Arc<Peer>>>,
    /// Stands for modern clients, and for all where sessions are off.
    anybody: Arc<Peer>,
}

/// A request that is refused before anything of MCP is done.
struct Refusal(StatusCode, Fault);

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self(status, Fault::new(INVALID_REQUEST, why))
    }
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() != "/mcp" {
            return empty(StatusCode::NOT_FOUND);
        }
        let headers = &parts.headers;
        let answered = match check_hosts(headers) {
            Err(refusal) => Err(refusal),
            Ok(()) => match parts.method {
                Method::POST => self.post(headers, body).await,
                Method::GET if self.server.options.era.legacy() => self.get(headers),
                Method::DELETE if self.keeps_sessions() => self.delete(headers),
                _ => {
                    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                    Ok(response)
                }
            },
        };
        answered.unwrap_or_else(|Refusal(status, fault)| json(status, fault.message(None)))
    }

    fn keeps_sessions(&self) -> bool {
        self.server.options.era.legacy() && !self.server.options.no_session
    }

    /// The session that a request names.
    fn session(&self, headers: &HeaderMap) -> Result<(String, Arc<Peer>), Refusal> {
        if !self.keeps_sessions() {
            return Ok((String::new(), Arc::clone(&self.anybody)));
        }
        let id = header(headers, "mcp-session-id")
            .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing"))?;
        let peer = lock(&self.sessions).get(id).filter(|peer| !peer.forgotten.load(Relaxed)).cloned();
        let peer = peer.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "Session not found"))?;
        if let Some(version) = peer.version()
            && header(headers, "mcp-protocol-version") != Some(version)
            // The header came with 2025-06-18.
            && !(version < "2025-06-18" && header(headers, "mcp-protocol-version").is_none())
        {
            let why = format!("MCP-Protocol-Version must be {version}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
        }
        Ok((id.to_owned(), peer))
    }

    async fn post(&self, headers: &HeaderMap, body: Incoming) -> Result<Response<Body>, Refusal> {
        check_media_types(headers)?;
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or broken"))?;
        let text = body.to_bytes();
        let envelope: Envelope<'_> = serde_json::from_slice(&text).map_err(|error| {
            Refusal(StatusCode::BAD_REQUEST, Fault::new(PARSE_ERROR, format!("Parse error: {error}")))
        })?;
        let params: Params<'_> =
            envelope.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
        let method = envelope.method.as_deref().unwrap_or_default();
        let is_request = envelope.method.is_some() && envelope.id.is_some();

        let era = self.server.options.era;
        let named = header(headers, "mcp-protocol-version");
        let modern = era.modern()
            && (named.is_none_or(|version| !LEGACY_VERSIONS.contains(&version)))
            && (named.is_some() || !era.legacy());
        if modern {
            if let Err(fault) = self.check_modern_headers(headers, &envelope, &params) {
                let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
                let id = envelope.id.map(serde_json::value::RawValue::get);
                return Ok(json(status, fault.message(id)));
            }
        } else if named.is_some_and(|version| !LEGACY_VERSIONS.contains(&version)) {
            let why = format!("Bad Request: Unsupported protocol version (supported: {})", LEGACY_VERSIONS.join(", "));
            return Err(Refusal(StatusCode::BAD_REQUEST, Fault::new(SERVER_ERROR, why)));
        }

        let greets = !modern && method == "initialize" && is_request;
        let peer = if greets && self.keeps_sessions() {
            Peer::new(&self.server, Kind::Connection)
        } else if modern {
            Arc::clone(&self.anybody)
        } else {
            self.session(headers)?.1
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        let arrival = Arrival {
            modern,
            outlet: Outlet(sender),
            ends_with_outlet: modern,
            headers: Some(headers_as_json(headers)),
        };
        peer.receive(&envelope, arrival);
        if !is_request {
            return Ok(accepted(receiver).await);
        }
        let resumable = self.server.options.conformance && self.keeps_sessions() && !modern;
        let mut response = self.respond(receiver, resumable.then_some(&*peer)).await;
        if greets && self.keeps_sessions() && response.status() == StatusCode::OK && peer.version().is_some() {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let value = HeaderValue::from_str(&id).expect("hex digits are a header value");
            response.headers_mut().insert("mcp-session-id", value);
            lock(&self.sessions).insert(id, peer);
        }
        Ok(response)
    }

    fn check_modern_headers(
        &self,
        headers: &HeaderMap,
        envelope: &Envelope<'_>,
        params: &Params<'_>,
    ) -> Result<(), Fault> {
        let mismatch = |name: &str| Fault::new(HEADER_MISMATCH, format!("the {name} header does not match the body"));
        let named = header(headers, "mcp-protocol-version");
        if envelope.method.is_some() && envelope.id.is_some() {
            // Whether both say the same comes before whether it is a version that we speak.
            let inside = params.meta.as_ref().and_then(|meta| meta.version.as_deref());
            if inside.is_some() && named.is_some() && inside != named {
                return Err(mismatch("MCP-Protocol-Version"));
            }
            self.server.check_modern(params)?;
        }
        if named != Some(MODERN_VERSION) {
            return Err(mismatch("MCP-Protocol-Version"));
        }
        if envelope.method.is_some() && header(headers, "mcp-method") != envelope.method.as_deref() {
            return Err(mismatch("Mcp-Method"));
        }
        let subject = match envelope.method.as_deref() {
            Some("tools/call" | "prompts/get") => Some(params.name.as_deref()),
            Some("resources/read") => Some(params.uri.as_deref()),
            _ => None,
        };
        let header_name = header(headers, "mcp-name").and_then(conformance::decoded);
        if subject.is_some_and(|subject| header_name.as_deref() != subject) {
            return Err(mismatch("Mcp-Name"));
        }
        if self.server.options.conformance {
            conformance::check_custom_header(headers, params)?;
        }
        if headers.contains_key("mcp-session-id") {
            return Err(Fault::new(INVALID_PARAMS, "a modern request has no session"));
        }
        Ok(())
    }

    /// Waits for the first message of an answer: alone it is JSON, else it begins an event stream.
    async fn respond(&self, mut receiver: mpsc::UnboundedReceiver<Frame>, resumable: Option<&Peer>) -> Response<Body> {
        let Some(first) = receiver.recv().await else {
            return empty(StatusCode::ACCEPTED);
        };
        match first {
            Frame::Answer { status, message, .. } if status != 200 || !self.server.options.always_sse => {
                json(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), message)
            }
            first => match resumable.filter(|peer| peer.version() >= Some(PRIMING_SINCE)) {
                Some(peer) => {
                    let (body, log) = peer.session.streams.open(first, receiver);
                    self.server.requests.spawn(log);
                    event_stream(body)
                }
                None => events(Some(first), receiver, self.server.options.noise),
            },
        }
    }

    fn get(&self, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
        if !accepts(headers, "text/event-stream") {
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "Accept must have text/event-stream"));
        }
        let (_, peer) = self.session(headers)?;
        if let Some(id) = header(headers, "last-event-id").filter(|_| self.server.options.conformance) {
            let body = Place::parse(id).and_then(|place| peer.session.streams.resume(place));
            return body.map(event_stream).ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "no such event"));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        self.server.subscribers.add(Outlet(sender), peer.interest());
        Ok(events(None, receiver, self.server.options.noise))
    }

    fn delete(&self, headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
        let (id, _) = self.session(headers)?;
        lock(&self.sessions).remove(&id);
        Ok(empty(StatusCode::OK))
    }
}

/// The answer to a notification or an answer: a refusal, or nothing.
async fn accepted(mut receiver: mpsc::UnboundedReceiver<Frame>) -> Response<Body> {
    match receiver.try_recv() {
        Ok(Frame::Answer { message, .. }) => json(StatusCode::BAD_REQUEST, message),
        _ => empty(StatusCode::ACCEPTED),
    }
}

/// Both name this machine, or a web page may be behind the request (DNS rebinding).
fn check_hosts(headers: &HeaderMap) -> Result<(), Refusal> {
    let origins = headers.get_all(ORIGIN).iter().map(|value| ("Origin", value));
    let hosts = headers.get_all(HOST).iter().map(|value| ("Host", value));
    for (name, value) in origins.chain(hosts) {
        let value = value.to_str().unwrap_or_default();
        let value = value.split_once("://").map_or(value, |(_, host)| host);
        let host = value.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(value, |(host, _)| host);
        if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            return Err(Refusal::new(StatusCode::FORBIDDEN, format!("{name} is not allowed")));
        }
    }
    Ok(())
}

fn check_media_types(headers: &HeaderMap) -> Result<(), Refusal> {
    if !(accepts(headers, "application/json") && accepts(headers, "text/event-stream")) {
        let why = "Accept must have application/json and text/event-stream";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, why));
    }
    let content = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content.starts_with("application/json") {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"));
    }
    Ok(())
}

pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(media_type))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(super) fn headers_as_json(headers: &HeaderMap) -> String {
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()).boxed_unsync());
    *response.status_mut() = status;
    response
}

pub(super) fn json(status: StatusCode, message: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Full::new(message.into()).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An event stream that ends after an answer.
fn events(first: Option<Frame>, receiver: mpsc::UnboundedReceiver<Frame>, noise: bool) -> Response<Body> {
    let state = (first, Some(receiver));
    let stream = stream::unfold(state, move |(mut first, receiver)| async move {
        let mut receiver = receiver?;
        let frame = loop {
            let frame = match first.take() {
                Some(frame) => frame,
                None => receiver.recv().await?,
            };
            // Nobody could come back to this stream.
            if !matches!(frame, Frame::HangUp) {
                break frame;
            }
        };
        let is_last = matches!(frame, Frame::Answer { .. });
        let event = BodyFrame::data(event(&frame, noise));
        Some((Ok::<_, Infallible>(event), (None, (!is_last).then_some(receiver))))
    });
    event_stream(StreamBody::new(stream).boxed_unsync())
}

fn event_stream(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

pub(super) fn event(frame: &Frame, noise: bool) -> Bytes {
    let message = frame.message();
    let mut event = Vec::with_capacity(message.len() + NOISE.len() + 32);
    if noise {
        event.extend_from_slice(NOISE.as_bytes());
    }
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(message);
    event.extend_from_slice(b"\n\n");
    event.into()
}
