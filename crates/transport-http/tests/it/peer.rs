//! A server whose every byte the test decides, and what the tests ask of the transport.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_core::{
    Connect, Endpoint, Era, Error, ErrorKind, RawJson, Result, Secret, ServerLimits, ServerSpec, Transport, Upstream,
    UpstreamEvents, UpstreamRequest, Url,
};
use serde_json::Value;
use transport_http::{HttpConfig, HttpTransport};

/// One request as the server read it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub verb: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub text: String,
    pub body: Value,
}

impl Seen {
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or("")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The server's end of a connection.
pub struct Wire(TcpStream);

/// Whether the connection serves on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Keep,
    Close,
}

impl Wire {
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) -> Next {
        match self.0.write_all(bytes.as_ref()) {
            Ok(()) => Next::Keep,
            Err(_) => Next::Close,
        }
    }

    pub fn answer(&mut self, status: u16, headers: &str, body: &str) -> Next {
        let length = body.len();
        self.raw(format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
    }

    pub fn json(&mut self, body: &str) -> Next {
        self.answer(200, "content-type: application/json\r\n", body)
    }

    pub fn result(&mut self, seen: &Seen, result: &str) -> Next {
        self.json(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.body["id"]))
    }

    pub fn begin_events(&mut self) -> Next {
        self.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    pub fn chunk(&mut self, text: &str) -> Next {
        self.raw(format!("{:x}\r\n{text}\r\n", text.len()))
    }

    pub fn event(&mut self, data: &str) -> Next {
        self.chunk(&format!("event: message\ndata: {data}\n\n"))
    }

    pub fn end_events(&mut self) -> Next {
        self.raw("0\r\n\r\n")
    }

    /// Says nothing until the client has closed the connection.
    pub fn until_closed(&mut self) -> Next {
        let _ = self.0.read(&mut [0; 64]);
        Next::Close
    }
}

type Handler = dyn Fn(&Seen, &mut Wire) -> Next + Send + Sync;

/// A server with a thread for each connection.
pub struct Peer {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that are open at the moment.
    pub open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Peer {
    /// A server that leaves everything to `handler`.
    pub fn new(handler: impl Fn(&Seen, &mut Wire) -> Next + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let peer = Self {
            address: listener.local_addr().expect("bound"),
            seen: Arc::default(),
            open: Arc::default(),
            accepted: Arc::default(),
        };
        let (seen, open, accepted) = (Arc::clone(&peer.seen), Arc::clone(&peer.open), Arc::clone(&peer.accepted));
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let (seen, open, handler) = (Arc::clone(&seen), Arc::clone(&open), Arc::clone(&handler));
                std::thread::spawn(move || {
                    serve(stream, &seen, &*handler);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    /// A legacy server: opens the session `s1`, has no GET stream, and leaves the rest to `handler`.
    pub fn legacy(handler: impl Fn(&Seen, &mut Wire) -> Next + Send + Sync + 'static) -> Self {
        Self::new(move |seen, wire| match (seen.verb.as_str(), seen.method()) {
            ("GET", _) => wire.answer(405, "allow: POST\r\n", ""),
            _ => legacy(seen, wire).unwrap_or_else(|| handler(seen, wire)),
        })
    }

    /// A modern server with these `capabilities`.
    pub fn modern(
        capabilities: &'static str,
        handler: impl Fn(&Seen, &mut Wire) -> Next + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |seen, wire| match seen.method() {
            "server/discover" => {
                wire.result(seen, &format!(r#"{{"supportedVersions":["2026-07-28"],"capabilities":{capabilities}}}"#))
            }
            _ => handler(seen, wire),
        })
    }

    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The requests with this method, so far.
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter().filter(|seen| seen.method() == method).cloned().collect()
    }

    /// The requests with this HTTP verb, so far.
    pub fn verbs(&self, verb: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter().filter(|seen| seen.verb == verb).cloned().collect()
    }

    pub fn spec(&self) -> ServerSpec {
        spec(&format!("http://{}/mcp?k=v", self.address))
    }

    pub async fn connect(&self) -> (Arc<dyn Upstream>, Arc<Heard>) {
        connect(self.spec(), None).await.expect("a connection")
    }
}

/// The handshake of a legacy server.
pub fn legacy(seen: &Seen, wire: &mut Wire) -> Option<Next> {
    Some(match (seen.verb.as_str(), seen.method()) {
        ("DELETE", _) => wire.answer(200, "", ""),
        (_, "server/discover") => wire.answer(
            400,
            "content-type: application/json\r\n",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Unsupported protocol version"}}"#,
        ),
        (_, "initialize") => wire.answer(
            200,
            "content-type: application/json; charset=utf-8\r\nMcp-Session-Id: s1\r\n",
            &format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{"listChanged":true}}}},"serverInfo":{{"name":"peer","version":"1"}}}}}}"#,
                seen.body["id"]
            ),
        ),
        (_, "notifications/initialized" | "notifications/cancelled") => wire.answer(202, "", ""),
        _ => return None,
    })
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Seen>>, handler: &Handler) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut wire = Wire(stream);
    while let Some(request) = read_request(&mut reader) {
        seen.lock().expect("no panic").push(request.clone());
        if handler(&request, &mut wire) == Next::Close {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (verb, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        assert!(headers.insert(name.to_lowercase(), value.to_owned()).is_none(), "{name} twice");
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("digits"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let text = String::from_utf8(body).expect("text");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some(Seen { verb, path, headers, text, body })
}

/// What a connection told its engine.
#[derive(Debug, Default)]
pub struct Heard {
    pub notified: Mutex<Vec<String>>,
    pub closed: Mutex<Vec<String>>,
}

impl Heard {
    pub fn notified(&self) -> Vec<String> {
        self.notified.lock().expect("no panic").clone()
    }

    pub fn closed(&self) -> Vec<String> {
        self.closed.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl UpstreamEvents for Heard {
    fn notified(&self, method: &str, params: RawJson) {
        self.notified.lock().expect("no panic").push(format!("{method} {}", params.as_str()));
    }

    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson> {
        match method {
            "sampling/createMessage" => Ok(params),
            "never" => std::future::pending().await,
            _ => Err(Error::new(ErrorKind::NotFound, format!("nobody answers `{method}`"))),
        }
    }

    fn closed(&self, reason: Error) {
        self.closed.lock().expect("no panic").push(reason.message().to_owned());
    }
}

pub fn spec(url: &str) -> ServerSpec {
    let headers = [("X-Custom".to_owned(), Secret::new("mine"))].into();
    let endpoint = Endpoint::Url(Url { url: url.to_owned(), headers });
    let limits = ServerLimits { connect_timeout_ms: 5_000, max_message_bytes: 100_000, ..ServerLimits::default() };
    ServerSpec::new("peer", "http", endpoint).expect("valid").with_limits(limits)
}

pub async fn connect(spec: ServerSpec, remembered_era: Option<Era>) -> Result<(Arc<dyn Upstream>, Arc<Heard>)> {
    connect_with(HttpConfig::default(), spec, remembered_era).await
}

pub async fn connect_with(
    config: HttpConfig,
    spec: ServerSpec,
    remembered_era: Option<Era>,
) -> Result<(Arc<dyn Upstream>, Arc<Heard>)> {
    let heard = Arc::new(Heard::default());
    let events: Arc<dyn UpstreamEvents> = Arc::clone(&heard) as _;
    let connect =
        Connect { spec: Arc::new(spec), remembered_era, client_capabilities: RawJson::empty_object(), events };
    let upstream = HttpTransport::new(config).connect(connect).await?;
    Ok((upstream, heard))
}

pub fn raw(text: impl Into<String>) -> RawJson {
    RawJson::parse(text.into()).expect("valid JSON")
}

/// A call of the tool `name` with its own name as argument.
pub fn call(name: &str) -> UpstreamRequest {
    let params = serde_json::json!({ "name": name, "arguments": { "text": name } });
    UpstreamRequest::new("tools/call", raw(params.to_string()))
}

/// Waits until `done`, at most some seconds, and lets the runtime hear from its sockets.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
}
