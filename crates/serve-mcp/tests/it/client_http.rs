//! A client's messages over HTTP.

use std::sync::{Arc, Mutex, OnceLock};

use axum::body::Body;
use gateway_core::Era;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt as _;
use http_server::HttpServer;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::{About, Road, Sent, lock};
use crate::rig::{Rig, in_time};
use crate::sse::Events;
use crate::wire::{LEGACY, MODERN, Message};

/// The way over HTTP.
pub struct Http {
    server: HttpServer,
    era: Era,
    path: String,
    token: Option<String>,
    session: OnceLock<String>,
    subscription: Mutex<Option<JoinHandle<()>>>,
    version: &'static str,
}

/// An answer as HTTP has it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Http {
    pub fn new(rig: &Rig, era: Era, path: &str) -> Self {
        let version = if era == Era::Modern { MODERN } else { LEGACY };
        let (server, path) = (rig.http.clone(), path.to_owned());
        Self { server, era, path, token: None, session: OnceLock::new(), subscription: Mutex::default(), version }
    }

    /// Sends one request as it is.
    pub async fn send(&self, method: Method, headers: &[(&str, &str)], body: &str) -> Answer {
        send(&self.server, method, &self.path, headers, body).await
    }

    /// The headers of whatever this client sends.
    fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
        if let Some(session) = self.session.get() {
            headers.push(("mcp-session-id", session));
        }
        if self.era == Era::Modern || self.session.get().is_some() {
            headers.push(("mcp-protocol-version", self.version));
        }
        if let Some(token) = &self.token {
            headers.push(("x-api-key", token));
        }
        headers
    }
}

/// Sends one request as it is.
pub async fn send(server: &HttpServer, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = in_time("an answer", server.answer(request)).await;
    Answer::of(response)
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }

    /// The whole body.
    pub async fn text(self) -> String {
        let body = in_time("a body", self.body.collect()).await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The one message of a body in JSON.
    pub async fn message(self) -> Message {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        Message::read(&self.text().await)
    }

    pub fn events(self) -> Events {
        assert!(self.is_stream(), "{self:?}");
        Events::new(self.body)
    }
}

#[async_trait::async_trait]
impl Road for Http {
    async fn request(&self, client: &About, sent: &Sent, told: &mpsc::UnboundedSender<Message>) -> u16 {
        let encoded = sent.name.as_deref().map(mcp_wire::header::encode_value);
        let mut headers = self.headers();
        if self.era == Era::Modern {
            headers.push(("mcp-method", &sent.method));
            headers.extend(encoded.as_deref().map(|name| ("mcp-name", name)));
        }
        let answer = self.send(Method::POST, &headers, &sent.message).await;
        if let Some(session) = answer.header("mcp-session-id").map(str::to_owned) {
            assert_eq!(sent.method, "initialize");
            self.session.set(session).unwrap();
        }
        let status = answer.status;
        if !answer.is_stream() {
            // Whoever gave it up does not listen any more.
            let _ = told.send(answer.message().await);
            return status;
        }
        let mut events = answer.events();
        let mut is_answered = false;
        while let Some(event) = events.next().await {
            if event.data.is_empty() {
                continue;
            }
            let message = Message::read(&event.data);
            assert!(!is_answered, "after the answer to {sent:?}: {message:?}");
            is_answered = message.outcome.is_some();
            if message.id.is_some() && message.method.is_some() {
                assert_eq!(self.era, Era::Legacy, "a modern client is asked: {message:?}");
                self.say(client.answer(&message)).await;
            }
            let _ = told.send(message);
        }
        status
    }

    async fn say(&self, message: String) {
        let answer = self.send(Method::POST, &self.headers(), &message).await;
        assert_eq!(answer.status, 202, "{message}");
        assert_eq!(answer.text().await, "");
    }

    async fn listen(&self, about: &Arc<About>) {
        let answer = self.send(Method::GET, &self.headers(), "").await;
        assert_eq!(answer.status, 200);
        let answering = self.headers().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // It ends with the gateway.
        drop(follow(answer.events(), Arc::clone(about), self.server.clone(), self.path.clone(), answering));
    }

    async fn subscribe(&self, about: &Arc<About>, sent: Sent) {
        let mut headers = self.headers();
        headers.push(("mcp-method", &sent.method));
        let answer = self.send(Method::POST, &headers, &sent.message).await;
        assert_eq!(answer.status, 200);
        let (server, path) = (self.server.clone(), self.path.clone());
        let following = follow(answer.events(), Arc::clone(about), server, path, Vec::new());
        *lock(&self.subscription) = Some(following);
    }

    async fn unsubscribe(&self, _id: &str) {
        let following = lock(&self.subscription).take().unwrap();
        following.abort();
        let _ = following.await;
    }

    async fn leave(&self) {
        if self.session.get().is_none() {
            return;
        }
        let answer = self.send(Method::DELETE, &self.headers(), "").await;
        assert_eq!(answer.status, 204);
    }
}

/// Reads a stream that goes on and on; answers questions with these headers.
fn follow(
    mut events: Events,
    about: Arc<About>,
    server: HttpServer,
    path: String,
    headers: Vec<(String, String)>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        while let Some(event) = events.next_forever().await {
            if event.data.is_empty() {
                continue;
            }
            let message = Message::read(&event.data);
            if message.id.is_some() && message.method.is_some() {
                let answer = send(&server, Method::POST, &path, &headers, &about.answer(&message)).await;
                assert_eq!(answer.status, 202);
            }
            about.hear(message);
        }
    })
}
