//! A gateway whose every answer the test decides.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Collected};
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::client::PATIENCE;

/// One request as the gateway read it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub verb: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Seen {
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What a gateway answers.
pub type Reply = Response<Body>;

/// An answer with a body of this type, in one piece.
pub fn reply(status: u16, content_type: &str, body: impl Into<Body>) -> Reply {
    Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap()
}

pub fn json(body: impl Into<Body>) -> Reply {
    reply(200, "application/json", body)
}

/// The result of the request that was seen.
pub fn result(seen: &Seen, result: &str) -> Reply {
    json(format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.body["id"]))
}

pub fn accepted() -> Reply {
    Response::builder().status(202).body(Body::empty()).unwrap()
}

/// A stream of events, and what to say in it. It ends well when this is dropped, and breaks at the word `break`.
pub fn events() -> (mpsc::UnboundedSender<&'static str>, Reply) {
    let (sender, words) = mpsc::unbounded_channel();
    (sender, reply(200, "text/event-stream", Body::new(Words { words, is_breaking: false })))
}

/// The whole of a stream of events.
pub fn said(words: &'static str) -> Reply {
    let (sender, reply) = events();
    sender.send(words).unwrap();
    reply
}

struct Words {
    words: mpsc::UnboundedReceiver<&'static str>,
    is_breaking: bool,
}

impl hyper::body::Body for Words {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.is_breaking {
            return Poll::Ready(Some(Err("as the test wants it")));
        }
        match ready!(self.words.poll_recv(task)) {
            Some("break") => {
                // What was said before is written while this waits.
                self.is_breaking = true;
                task.waker().wake_by_ref();
                Poll::Pending
            }
            word => Poll::Ready(word.map(|word| Ok(Frame::data(Bytes::from_static(word.as_bytes()))))),
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A gateway.
pub struct Peer {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    arrivals: tokio::sync::watch::Receiver<usize>,
}

impl Peer {
    /// A gateway that leaves everything to `handler`.
    pub async fn new<F>(handler: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (arrived, arrivals) = tokio::sync::watch::channel(0);
        let handler: Arc<dyn Fn(Seen) -> Answer + Send + Sync> = Arc::new(move |seen| Box::pin(handler(seen)));
        let all = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (all, handler, arrived) = (Arc::clone(&all), Arc::clone(&handler), arrived.clone());
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (all, handler, arrived) = (Arc::clone(&all), Arc::clone(&handler), arrived.clone());
                    async move {
                        let request = read(request).await;
                        all.lock().unwrap().push(request.clone());
                        arrived.send_modify(|count| *count += 1);
                        Ok::<_, Infallible>(handler(request).await)
                    }
                });
                tokio::spawn(async move {
                    // A connection that breaks is what some tests want.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, seen, arrivals }
    }

    /// A gateway that opens sessions `s1`, `s2`, has no GET stream, and leaves the rest to `handler`.
    pub async fn legacy<F>(handler: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let sessions = Arc::new(Mutex::new(0));
        Self::new(move |seen| {
            let (handler, sessions) = (Arc::clone(&handler), Arc::clone(&sessions));
            async move {
                match (seen.verb.as_str(), seen.method()) {
                    ("GET", _) if seen.header("last-event-id").is_empty() => reply(405, "text/plain", ""),
                    ("DELETE", _) => reply(200, "text/plain", ""),
                    (_, "initialize") => {
                        let number = {
                            let mut sessions = sessions.lock().unwrap();
                            *sessions += 1;
                            *sessions
                        };
                        greet(&seen, &format!("s{number}"))
                    }
                    (_, "notifications/initialized") => accepted(),
                    _ => handler(seen).await,
                }
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests of this verb and method, so far.
    pub fn seen(&self, verb: &str, method: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.verb == verb && seen.method() == method).cloned().collect()
    }

    /// Waits for `count` requests of this verb and method.
    pub async fn wait_for(&self, verb: &str, method: &str, count: usize) -> Vec<Seen> {
        let mut arrivals = self.arrivals.clone();
        let waiting = arrivals.wait_for(|_| self.seen(verb, method).len() >= count);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("no {count} of {verb} {method}")).unwrap();
        self.seen(verb, method)
    }
}

/// The answer to `initialize`.
pub fn greet(seen: &Seen, session: &str) -> Reply {
    let mut answer = result(
        seen,
        r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"peer","version":"1"}}"#,
    );
    answer.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    answer
}

async fn read(request: Request<hyper::body::Incoming>) -> Seen {
    let (head, body) = request.into_parts();
    let text = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let body = serde_json::from_slice(&text).unwrap_or(Value::Null);
    Seen { verb: head.method.to_string(), target: head.uri.to_string(), headers: head.headers, body }
}
