//! The revisions with a handshake and a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::client::result_of;
use crate::http::{Answer, Headers, Target};
use crate::{Outcome, answers};

const VERSION: &str = "2025-11-25";
/// How often a stream that ended too early is taken up again.
const MOST_RETURNS: usize = 5;
/// How long a client waits before it comes back, where the server does not say.
const USUAL_RETRY: u64 = 1000;

/// A client with a session.
pub struct Legacy {
    pub capabilities: Value,
    session: Arc<Session>,
    ids: AtomicU64,
    /// Reads what the server says of its own accord.
    listener: JoinSet<()>,
}

struct Session {
    target: Target,
    /// What every request after the handshake has.
    headers: Headers,
}

impl Legacy {
    pub async fn connect(target: Target) -> Outcome<Self> {
        let params = json!({
            "protocolVersion": VERSION,
            "capabilities": answers::capabilities(),
            "clientInfo": { "name": "conformance-client", "version": "1.0" },
        });
        let message = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = target.post(&Headers::new(), &message).await?;
        let id = answer.header("mcp-session-id").map(str::to_owned);
        let mut session = Session { target, headers: Headers::new() };
        let greeting = result_of(session.answer_to(&json!(0), answer).await?)?;
        let version = greeting["protocolVersion"].as_str().ok_or("initialize: no protocolVersion")?;
        session.headers.push(("mcp-protocol-version".to_owned(), version.to_owned()));
        session.headers.extend(id.map(|id| ("mcp-session-id".to_owned(), id)));
        let session = Arc::new(session);
        session.tell(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        let mut listener = JoinSet::new();
        let (opened, is_open) = oneshot::channel();
        listener.spawn(listen(Arc::clone(&session), opened));
        // A server may ask on this stream as soon as a tool is called. No stream is an answer too.
        let _ = is_open.await;
        let capabilities = greeting["capabilities"].clone();
        Ok(Self { capabilities, session, ids: AtomicU64::new(1), listener })
    }

    pub async fn request(&self, method: &str, params: Value) -> Outcome<Value> {
        let id = json!(self.ids.fetch_add(1, Relaxed));
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answer = self.session.target.post(&self.session.headers, &message).await?;
        result_of(self.session.answer_to(&id, answer).await?)
    }

    pub async fn close(mut self) {
        self.listener.shutdown().await;
        // Whether the server keeps sessions at all is its own affair.
        let _ = self.session.target.delete(&self.session.headers).await;
    }
}

impl Session {
    /// The message that answers the request `id`.
    async fn answer_to(&self, id: &Value, mut answer: Answer) -> Outcome<Value> {
        let mut last_id = None;
        let mut retry = USUAL_RETRY;
        for _ in 0..=MOST_RETURNS {
            if !answer.is_event_stream() {
                return answer.json().await;
            }
            while let Some(event) = answer.event().await {
                last_id = event.id.or(last_id);
                retry = event.retry.unwrap_or(retry);
                let Ok(message) = serde_json::from_str::<Value>(&event.data) else { continue };
                if message.get("method").is_some() {
                    self.answer(&message).await?;
                } else if message["id"] == *id {
                    return Ok(message);
                }
            }
            // A stream that ends before the answer is taken up where it ended (SEP-1699).
            let last_id = last_id.clone().ok_or("the event stream ended without an answer")?;
            tokio::time::sleep(Duration::from_millis(retry)).await;
            let headers = [self.headers.clone(), vec![("last-event-id".to_owned(), last_id)]].concat();
            answer = self.target.get("text/event-stream", &headers).await?;
        }
        Err("the event stream ended again and again".to_owned())
    }

    /// Answers `message` where it is a request.
    async fn answer(&self, message: &Value) -> Outcome<()> {
        let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else { return Ok(()) };
        let (key, value) = match answers::to(method, &message["params"]) {
            Ok(result) => ("result", result),
            Err(error) => ("error", error),
        };
        self.tell(&json!({ "jsonrpc": "2.0", "id": id, key: value })).await
    }

    /// Sends what needs no answer.
    async fn tell(&self, message: &Value) -> Outcome<()> {
        let answer = self.target.post(&self.headers, message).await?;
        match answer.status {
            200..300 => Ok(()),
            status => Err(format!("HTTP {status} for {message}")),
        }
    }
}

async fn listen(session: Arc<Session>, opened: oneshot::Sender<()>) {
    let answer = session.target.get("text/event-stream", &session.headers).await;
    // Nobody waits any more where the client is gone.
    let _ = opened.send(());
    let Ok(mut answer) = answer else { return };
    if answer.status != 200 || !answer.is_event_stream() {
        return;
    }
    while let Some(event) = answer.event().await {
        if let Ok(message) = serde_json::from_str(&event.data)
            && let Err(why) = session.answer(&message).await
        {
            eprintln!("conformance-client: {why}");
        }
    }
}
