//! One HTTP request at a time, each on a connection of its own.

use std::pin::Pin;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Outcome;
use crate::sse::{Event, Parser};

/// Where a server is.
#[derive(Clone, Debug)]
pub struct Target {
    /// `localhost:1234`
    authority: String,
    path: String,
}

/// Headers besides those that every request has.
pub type Headers = Vec<(String, String)>;

/// An answer whose body is still to come.
pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    body: Incoming,
    /// Moves bytes; polled wherever we wait for them.
    connection: Pin<Box<dyn Future<Output = ()> + Send>>,
    connected: bool,
    parser: Parser,
    events: std::collections::VecDeque<Event>,
}

impl Target {
    pub fn parse(url: &str) -> Outcome<Self> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} does not begin with http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self { authority: authority.to_owned(), path: if path.is_empty() { "/" } else { path }.to_owned() })
    }

    /// The same server at another path.
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    pub async fn post(&self, headers: &Headers, message: &Value) -> Outcome<Answer> {
        self.send(Method::POST, "application/json, text/event-stream", headers, message.to_string()).await
    }

    pub async fn get(&self, accept: &'static str, headers: &Headers) -> Outcome<Answer> {
        self.send(Method::GET, accept, headers, String::new()).await
    }

    pub async fn delete(&self, headers: &Headers) -> Outcome<Answer> {
        self.send(Method::DELETE, "*/*", headers, String::new()).await
    }

    async fn send(&self, method: Method, accept: &'static str, headers: &Headers, body: String) -> Outcome<Answer> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| format!("{method} {}: {what}: {error}", self.authority);
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| failed("connecting", &error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed("connecting", &error))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method.clone();
        *request.uri_mut() = self.path.parse().map_err(|error| failed("path", &error))?;
        let map = request.headers_mut();
        map.insert(HOST, HeaderValue::from_str(&self.authority).map_err(|error| failed("host", &error))?);
        map.insert(ACCEPT, HeaderValue::from_static(accept));
        if method == Method::POST {
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(name, &error))?;
            let value = HeaderValue::from_str(value).map_err(|error| failed(value, &error))?;
            map.insert(name, value);
        }
        // How a connection ends shows in what is read from it.
        let mut connection: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async { drop(connection.await) });
        let mut connected = true;
        let mut sending = std::pin::pin!(sender.send_request(request));
        let response = loop {
            tokio::select! {
                biased;
                response = &mut sending => break response.map_err(|error| failed("no answer", &error))?,
                () = &mut connection, if connected => connected = false,
            }
        };
        let (head, body) = response.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            connection,
            connected,
            parser: Parser::default(),
            events: std::collections::VecDeque::new(),
        })
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn is_event_stream(&self) -> bool {
        self.header("content-type").is_some_and(|value| value.starts_with("text/event-stream"))
    }

    /// The whole body, which is JSON.
    pub async fn json(mut self) -> Outcome<Value> {
        let mut text = Vec::new();
        while let Some(bytes) = self.bytes().await {
            text.extend_from_slice(&bytes);
        }
        serde_json::from_slice(&text)
            .map_err(|error| format!("HTTP {}: {error}: {}", self.status, String::from_utf8_lossy(&text)))
    }

    /// The next event; `None` where the stream has ended.
    pub async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let bytes = self.bytes().await?;
            self.events.extend(self.parser.feed(&bytes));
        }
    }

    async fn bytes(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                // A stream that breaks has ended.
                frame = self.body.frame() => match frame?.ok()?.into_data() {
                    Ok(bytes) => return Some(bytes),
                    Err(_) => continue,
                },
                () = &mut self.connection, if self.connected => self.connected = false,
            }
        }
    }
}
