//! A server whose every byte the test decides, and what the tests ask of the transport.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_core::{
    Connect, Endpoint, Era, Error, ErrorKind, RawJson, Result, Secret, ServerLimits, ServerSpec, Transport, Upstream,
    UpstreamEvents, UpstreamRequest, Url,
};
use serde_json::Value;
use transport_sse::{SseConfig, SseTransport};

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

    /// The name of the tool that it calls.
    pub fn tool(&self) -> &str {
        self.body["params"]["name"].as_str().unwrap_or("")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The server's end of a connection, and the stream that the client has opened last.
pub struct Wire {
    own: TcpStream,
    stream: Arc<Mutex<Option<TcpStream>>>,
}

/// Whether the connection serves on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Keep,
    Close,
}

impl Wire {
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) -> Next {
        match self.own.write_all(bytes.as_ref()) {
            Ok(()) => Next::Keep,
            Err(_) => Next::Close,
        }
    }

    pub fn answer(&mut self, status: u16, headers: &str, body: &str) -> Next {
        let length = body.len();
        self.raw(format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
    }

    /// Takes a message, as servers do.
    pub fn accept(&mut self) -> Next {
        self.answer(202, "", "Accepted")
    }

    /// Takes a request and answers it on the stream.
    pub fn result(&mut self, seen: &Seen, result: &str) -> Next {
        let next = self.accept();
        self.message(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, seen.body["id"]));
        next
    }

    /// Makes this connection the stream; its first event is `first`.
    pub fn open(&mut self, first: &str) {
        // Before the client can know of it.
        *self.stream.lock().expect("no panic") = Some(self.own.try_clone().expect("a socket"));
        self.raw(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n{first}"));
    }

    /// Writes a message on the stream.
    pub fn message(&self, data: &str) {
        self.on_stream(format!("event: message\ndata: {data}\n\n"));
    }

    pub fn on_stream(&self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.lock().expect("no panic");
        // A client that has gone hears nothing.
        let _ = stream.as_ref().expect("a stream").write_all(bytes.as_ref());
    }

    /// Ends the stream.
    pub fn end_stream(&self) {
        let stream = self.stream.lock().expect("no panic").take();
        let _ = stream.expect("a stream").shutdown(Shutdown::Both);
    }

    /// Says nothing until the client has closed the connection.
    pub fn until_closed(&mut self) -> Next {
        let _ = self.own.read(&mut [0; 64]);
        Next::Close
    }
}

type Handler = dyn Fn(&Seen, &mut Wire) -> Next + Send + Sync;

/// A server with a thread for each connection.
pub struct Peer {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    open: Arc<AtomicUsize>,
}

impl Peer {
    /// A server that leaves everything to `handler`.
    pub fn new(handler: impl Fn(&Seen, &mut Wire) -> Next + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let peer = Self { address, seen: Arc::default(), open: Arc::default() };
        let (seen, open) = (Arc::clone(&peer.seen), Arc::clone(&peer.open));
        let handler: Arc<Handler> = Arc::new(handler);
        let stream = Arc::default();
        std::thread::spawn(move || {
            for own in listener.incoming().flatten() {
                open.fetch_add(1, Ordering::SeqCst);
                let (seen, open, handler) = (Arc::clone(&seen), Arc::clone(&open), Arc::clone(&handler));
                let mut wire = Wire { own, stream: Arc::clone(&stream) };
                std::thread::spawn(move || {
                    serve(&mut wire, &seen, &*handler);
                    let _ = wire.own.shutdown(Shutdown::Both);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        peer
    }

    /// A server that opens streams, shakes hands, and leaves the rest to `handler`.
    pub fn legacy(handler: impl Fn(&Seen, &mut Wire) -> Next + Send + Sync + 'static) -> Self {
        Self::new(move |seen, wire| legacy(seen, wire).unwrap_or_else(|| handler(seen, wire)))
    }

    /// The requests with this method, so far.
    pub fn seen(&self, method: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.method() == method).collect()
    }

    /// The requests with this HTTP verb, so far.
    pub fn verbs(&self, verb: &str) -> Vec<Seen> {
        self.all().into_iter().filter(|seen| seen.verb == verb).collect()
    }

    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// Whether no connection is open.
    pub fn is_quiet(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    pub fn spec(&self) -> ServerSpec {
        spec(&format!("http://{}/a/sse?k=v", self.address))
    }

    pub async fn connect(&self) -> (Arc<dyn Upstream>, Arc<Heard>) {
        connect(self.spec()).await.expect("a connection")
    }
}

/// The stream and the handshake of a well-behaved server.
pub fn legacy(seen: &Seen, wire: &mut Wire) -> Option<Next> {
    Some(match (seen.verb.as_str(), seen.method()) {
        ("GET", _) => {
            wire.open(": hello\n\nretry: 5\nid: 1\nevent: endpoint\ndata: /message?s=1\n\n");
            wire.until_closed()
        }
        (_, "initialize") => wire.result(
            seen,
            r#"{"protocolVersion":"2024-11-05","capabilities":{"tools":{}},"serverInfo":{"name":"peer","version":"1"}}"#,
        ),
        (_, "notifications/initialized" | "notifications/cancelled") => wire.accept(),
        _ => return None,
    })
}

fn serve(wire: &mut Wire, seen: &Mutex<Vec<Seen>>, handler: &Handler) {
    let mut reader = BufReader::new(wire.own.try_clone().expect("a socket"));
    while let Some(request) = read_request(&mut reader) {
        seen.lock().expect("no panic").push(request.clone());
        if handler(&request, wire) == Next::Close {
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
    notified: Mutex<Vec<String>>,
    closed: Mutex<Vec<String>>,
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
    let limits = ServerLimits { max_message_bytes: 100_000, ..ServerLimits::default() };
    ServerSpec::new("peer", "sse", endpoint).expect("valid").with_limits(limits)
}

pub async fn connect(spec: ServerSpec) -> Result<(Arc<dyn Upstream>, Arc<Heard>)> {
    connect_with(SseConfig::default(), spec).await
}

pub async fn connect_with(config: SseConfig, spec: ServerSpec) -> Result<(Arc<dyn Upstream>, Arc<Heard>)> {
    let heard = Arc::new(Heard::default());
    let connect = Connect {
        spec: Arc::new(spec),
        // Of the time when the server was another one.
        remembered_era: Some(Era::Modern),
        client_capabilities: raw(r#"{"roots":{}}"#),
        events: Arc::clone(&heard) as _,
    };
    let upstream = SseTransport::new(config).connect(connect).await?;
    Ok((upstream, heard))
}

pub fn raw(text: impl Into<String>) -> RawJson {
    RawJson::parse(text.into()).expect("valid JSON")
}

/// A call of the tool `name`.
pub fn call(name: &str) -> UpstreamRequest {
    UpstreamRequest::new("tools/call", raw(serde_json::json!({ "name": name }).to_string()))
}

/// Waits until `done`, at most some seconds, and lets the runtime hear from its sockets.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
