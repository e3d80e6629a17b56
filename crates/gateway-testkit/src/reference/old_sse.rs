//! The reference server over the HTTP+SSE transport of 2024-11-05: one stream at `/sse` for all answers,
//! messages to `/message`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Frame as BodyFrame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::Server;
use super::conformance::Body;
use super::connections::serve_connections;
use super::http::{MAX_BODY, accepts, empty, event, headers_as_json, json};
use super::peer::{Kind, Peer};
use super::server::{Outlet, lock};
use super::stdio::take;

/// Serves clients on `listener` until `shutdown` ends; what is under way then is dropped.
///
/// # Errors
/// Where no connection can be accepted any more.
pub async fn serve_old_sse(
    server: &Arc<Server>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let door = Arc::new(Door { server: Arc::clone(server), sessions: Mutex::default() });
    let answer = move |request| {
        let door = Arc::clone(&door);
        async move { door.answer(request).await }
    };
    serve_connections(server, listener, shutdown, answer).await
}

struct Door {
    server: Arc<Server>,
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Clone)]
struct Session {
    peer: Arc<Peer>,
    outlet: Outlet,
}

impl Door {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match (parts.uri.path(), parts.method) {
            ("/sse", Method::GET) => self.open(&parts.headers),
            ("/sse", _) => empty(StatusCode::METHOD_NOT_ALLOWED),
            ("/message", Method::POST) => {
                let id = parts.uri.query().and_then(|query| query.strip_prefix("sessionId=")).unwrap_or_default();
                self.post(id, &parts.headers, body).await
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    /// Opens a session: its stream names the address of its messages first.
    fn open(&self, headers: &HeaderMap) -> Response<Body> {
        if !accepts(headers, "text/event-stream") {
            return empty(StatusCode::NOT_ACCEPTABLE);
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let first = Bytes::from(format!("event: endpoint\ndata: /message?sessionId={id}\n\n"));
        let session = Session { peer: Peer::new(&self.server, Kind::Connection), outlet: Outlet(sender) };
        let mut sessions = lock(&self.sessions);
        // Those whose stream is closed.
        sessions.retain(|_, session| !session.outlet.0.is_closed());
        sessions.insert(id, session);
        drop(sessions);
        let noise = self.server.options.noise;
        let stream = stream::unfold((Some(first), receiver), move |(first, mut receiver)| async move {
            let text = match first {
                Some(first) => first,
                None => event(&receiver.recv().await?, noise),
            };
            Some((Ok::<_, Infallible>(BodyFrame::data(text)), (None, receiver)))
        });
        let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response
    }

    async fn post(&self, id: &str, headers: &HeaderMap, body: Incoming) -> Response<Body> {
        let session = lock(&self.sessions).get(id).cloned();
        let session = session.filter(|session| !session.peer.forgotten.load(Relaxed) && !session.outlet.0.is_closed());
        let Some(Session { peer, outlet }) = session else { return empty(StatusCode::NOT_FOUND) };
        let content = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !content.starts_with("application/json") {
            return empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        };
        match take(&peer, &body.to_bytes(), &outlet, Some(headers_as_json(headers))) {
            Ok(()) => empty(StatusCode::ACCEPTED),
            Err(fault) => json(StatusCode::BAD_REQUEST, fault.message(None)),
        }
    }
}
