//! Requests as a test writes them itself, headers and all.

use axum::body::Body;
use http::{Method, Request};
use http_server::HttpServer;
use serde_json::Value;

use crate::client_http::{Answer, send};
use crate::rig::Rig;
use crate::wire::{LEGACY, MODERN, member};

/// Both media types, as every well-behaved client sends them.
pub const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A legacy session, whose requests a test writes.
#[derive(Clone)]
pub struct Session {
    pub server: HttpServer,
    pub id: String,
    pub token: Option<&'static str>,
}

impl Session {
    pub async fn open(rig: &Rig) -> Self {
        Self::open_at(rig, "/mcp", LEGACY, None).await.unwrap()
    }

    /// Opens one at `path`, or gives the answer that was none.
    pub async fn open_at(
        rig: &Rig,
        path: &str,
        version: &str,
        token: Option<&'static str>,
    ) -> Result<Self, (u16, Value)> {
        let body = request(0, "initialize", &initialize(version));
        let mut headers = vec![ACCEPT, JSON];
        headers.extend(token.map(|token| ("x-api-key", token)));
        let answer = send(&rig.http, Method::POST, path, &headers, &body).await;
        let (status, id) = (answer.status, answer.header("mcp-session-id").map(str::to_owned));
        let text = answer.text().await;
        match id {
            Some(id) if status == 200 => Ok(Self { server: rig.http.clone(), id, token }),
            _ => Err((status, serde_json::from_str(&text).unwrap())),
        }
    }

    /// The same session, whose requests reach another gateway.
    pub fn at(&self, rig: &Rig) -> Self {
        Self { server: rig.http.clone(), ..self.clone() }
    }

    /// Sends whatever it is in this session, with more headers.
    pub async fn send(&self, method: Method, more: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = vec![JSON, ("mcp-session-id", &*self.id), ("mcp-protocol-version", LEGACY)];
        headers.extend(self.token.map(|token| ("x-api-key", token)));
        headers.retain(|(name, _)| !more.iter().any(|(own, _)| own == name));
        headers.extend(more);
        send(&self.server, method, "/mcp", &headers, body).await
    }

    pub async fn post(&self, body: &str) -> Answer {
        self.send(Method::POST, &[ACCEPT], body).await
    }

    pub async fn call(&self, id: u64, tool: &str, arguments: &str) -> Answer {
        let params = format!(r#"{{"name":"{tool}","arguments":{arguments},"_meta":{{"progressToken":"p"}}}}"#);
        self.post(&request(id, "tools/call", &params)).await
    }

    pub async fn listen(&self, last_event_id: Option<&str>) -> Answer {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        self.send(Method::GET, &headers, "").await
    }

    pub async fn delete(&self) -> u16 {
        self.send(Method::DELETE, &[], "").await.status
    }

    /// The status of a harmless request.
    pub async fn ping(&self) -> u16 {
        self.post(&request(1, "ping", "{}")).await.status
    }
}

/// The params of `initialize`.
pub fn initialize(version: &str) -> String {
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"elicitation":{{}},"roots":{{}}}},"clientInfo":{{"name":"t","version":"1"}}}}"#
    )
}

pub fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// A modern request, with these members beside its `_meta`.
pub fn modern(id: u64, method: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    let meta = format!(
        r#""io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{}}}}"#
    );
    request(id, method, &format!(r#"{{"_meta":{{{meta}}}{comma}{members}}}"#))
}

/// Sends a modern request with the headers that belong to it.
pub async fn ask_modern(rig: &Rig, path: &str, more: &[(&str, &str)], method: &str, members: &str) -> Answer {
    let body = modern(7, method, members);
    let params = format!("{{{members}}}");
    let name = member(&params, "name").or_else(|| member(&params, "uri")).map(|name| crate::wire::unquote(&name));
    let mut headers = vec![ACCEPT, JSON, ("mcp-protocol-version", MODERN), ("mcp-method", method)];
    headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
    headers.retain(|(name, _)| !more.iter().any(|(own, _)| own == name));
    headers.extend(more);
    send(&rig.http, Method::POST, path, &headers, &body).await
}

/// The JSON body of an answer: `result`, or `error` with the status before it.
pub async fn told(answer: Answer) -> Result<Value, (u16, Value)> {
    let status = answer.status;
    let body: Value = serde_json::from_str(&answer.text().await).unwrap();
    assert_eq!(body["jsonrpc"], "2.0", "{body}");
    match body.get("result") {
        Some(result) => Ok(result.clone()),
        None => Err((status, body["error"].clone())),
    }
}

/// Anything at all.
pub async fn anything(rig: &Rig, request: Request<Body>) -> Answer {
    let response = rig.answer(request).await;
    let (parts, body) = response.into_parts();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}
