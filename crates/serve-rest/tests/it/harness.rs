//! A running door, and a client that can say anything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_api_key::ApiKeyAuth;
use gateway_core::{
    Auth, Connect, Credentials, EngineConfig, Gateway, GatewayBuilder, Result, Secret, Transport, Upstream,
};
use gateway_testkit::fakes::{Answer as Tool, FakeServer, FakeTransport, spec};
use gateway_usage::{UsageConfig, UsageRecorder};
use http_server::{HttpServer, HttpServerConfig, serve};
use queue_memory::{MemoryQueue, MemoryQueueConfig};
use router_keyword::KeywordRouter;
use serde_json::Value;
use serve_queue::{QueueDoor, QueueDoorConfig};
use serve_rest::{Metrics, RestConfig, RestDoor};
use session_store_memory::MemoryStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway with its door on a free port of the loopback interface.
pub struct Door {
    pub address: SocketAddr,
    pub demo: FakeServer,
    pub gateway: Gateway,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<std::io::Result<()>>,
    pub queue: Arc<MemoryQueue>,
    /// The queue's door, where there is one.
    _worker: Option<AbortOnDropHandle<()>>,
}

/// What there is of a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    Never,
    Only,
    AndWorkedOn,
}

/// How a door is started.
pub struct Setup {
    pub server: HttpServerConfig,
    pub rest: RestConfig,
    pub engine: EngineConfig,
    pub key: Option<&'static str>,
    /// Who knows callers, instead of the key.
    pub auth: Option<Arc<dyn Auth>>,
    pub grace: Duration,
    /// Whether requests can be answered later, and whether somebody works on them.
    pub queue: Queued,
    pub memory: MemoryQueueConfig,
    /// Servers besides `demo`.
    pub servers: Vec<(&'static str, FakeServer)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            server: HttpServerConfig::default(),
            rest: RestConfig::default(),
            engine: EngineConfig::default(),
            key: None,
            auth: None,
            grace: Duration::from_secs(5),
            queue: Queued::AndWorkedOn,
            memory: MemoryQueueConfig::default(),
            servers: Vec::new(),
        }
    }
}

/// The result of the tool `odd`: everything that a careless gateway would change.
pub const ODD_RESULT: &str = r#"{ "_meta":{"z":1.50e+3,"a":100000000000000000000000001}, "content":[{"type":"text","text":"caf\u00e9 \"one\""},{"type":"hologram","data":[ 1 ]},{"text":"two\n","type":"text"}],"structuredContent":{"b":1,"a":-0.0},"unknown":[]}"#;

/// The fake server `demo`.
pub fn demo() -> FakeServer {
    FakeServer::new()
        .with_tool("echo", "Repeats the message that it is given", Tool::echo())
        .with_tool("odd", "Answers strangely", Tool::result(ODD_RESULT))
        .with_tool(
            "fail",
            "Always reports an error",
            Tool::result(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#),
        )
        .with_tool("hang", "Never answers", Tool::hang())
        .with_tool("slow", "Answers after a while", Tool::echo().after(Duration::from_millis(700)))
        .with_tool("steps", "Tells its progress", Tool::progress(3))
}

/// Pretends to start programs.
#[derive(Debug)]
struct FakeStdio;

#[async_trait]
impl Transport for FakeStdio {
    fn name(&self) -> &str {
        "stdio"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let server = FakeServer::new().with_tool("run", "Runs in a program of its own", Tool::echo());
        FakeTransport::new().with_server(connect.spec.name(), &server).connect(connect).await
    }
}

impl Door {
    /// A door with the defaults.
    pub async fn open() -> Self {
        Self::with(Setup::default()).await
    }

    /// A door with its own settings.
    pub async fn with(setup: Setup) -> Self {
        let demo = demo();
        let mut servers = vec![("demo", demo.clone())];
        servers.extend(setup.servers);
        let mut transport = FakeTransport::new();
        for (name, server) in &servers {
            transport = transport.with_server(name, server);
        }
        // For tests that add it.
        transport = transport.with_server("more", &FakeServer::new().with_tool("extra", "One more tool", Tool::echo()));
        let auth = setup.auth.unwrap_or_else(|| Arc::new(ApiKeyAuth::new(setup.key.map(Secret::new))));
        let parts = GatewayBuilder::new(Arc::new(KeywordRouter::default()), Arc::new(MemoryStore::new()), auth);
        let usage = Arc::new(UsageRecorder::new(UsageConfig::default()));
        let gateway = parts
            .with_layer(usage.layer())
            .with_feedback(Arc::<UsageRecorder>::clone(&usage))
            .with_config(setup.engine)
            .with_transport(Arc::new(transport))
            .with_transport(Arc::new(FakeStdio))
            .with_servers(servers.iter().map(|(name, _)| spec(name)).collect())
            .start()
            .await
            .unwrap();
        gateway.settled().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let metrics = Metrics::new("text/x-numbers", || "gateway_up 1\n".to_owned());
        let queue = Arc::new(MemoryQueue::new(setup.memory));
        let mut door = RestDoor::new(gateway.clone(), setup.rest, metrics).with_usage(usage);
        if setup.queue != Queued::Never {
            door = door.with_queue(queue.clone());
        }
        let worker = (setup.queue == Queued::AndWorkedOn).then(|| {
            let credentials = Credentials { token: setup.key.map(Secret::new), local: true };
            let config = QueueDoorConfig { credentials, ..QueueDoorConfig::default() };
            let (door, stop) = (QueueDoor::new(gateway.clone(), queue.clone(), config), shutdown.clone());
            AbortOnDropHandle::new(tokio::spawn(async move { door.serve(&stop, Duration::ZERO).await }))
        });
        let server = HttpServer::new(setup.server, Arc::new(door));
        let (stop, grace) = (shutdown.clone(), setup.grace);
        let serving = tokio::spawn(async move { serve(listener, server, stop, grace).await });
        Self { address, demo, gateway, shutdown, serving, queue, _worker: worker }
    }

    /// Sends one request on a connection of its own.
    pub async fn ask(&self, request: &Request) -> Answer {
        let mut connection = self.connect().await;
        connection.send(&request.text()).await;
        connection.answer(request.method == "HEAD").await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&Request::new("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(&Request::post(path, body)).await
    }

    pub async fn connect(&self) -> Connection {
        Connection { stream: TcpStream::connect(self.address).await.unwrap(), read: Vec::new() }
    }
}

/// A request, written as it will go out.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    path: String,
    version: &'static str,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            version: "HTTP/1.1",
            headers: vec![("Host".to_owned(), "localhost".to_owned())],
            body: String::new(),
        }
    }

    /// A JSON request.
    pub fn post(path: &str, body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::new("POST", path) }.with("Content-Type", "application/json")
    }

    /// With a header instead of those of its name.
    pub fn with(self, name: &str, value: &str) -> Self {
        let mut request = self.without(name);
        request.headers.push((name.to_owned(), value.to_owned()));
        request
    }

    /// With one more header.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self
    }

    pub fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{} {} {}\r\n", self.method, self.path, self.version);
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if !self.body.is_empty() || self.method == "POST" {
            write!(text, "Content-Length: {}\r\n", self.body.len()).unwrap();
        }
        text + "\r\n" + &self.body
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it went well and gives the body.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// Checks that it is a failure in the contract's shape and gives its message.
    #[track_caller]
    pub fn problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body = self.json();
        assert_eq!(body["kind"], kind, "{self:?}");
        assert_eq!(body["status"], "error");
        let request_id = body["request_id"].as_str().unwrap();
        assert_eq!(self.header("x-request-id"), Some(request_id));
        body["error"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads one answer.
    pub async fn answer(&mut self, head_only: bool) -> Answer {
        self.try_answer(head_only).await.expect("an answer")
    }

    /// Reads one answer; `None` where the connection ends first.
    pub async fn try_answer(&mut self, head_only: bool) -> Option<Answer> {
        let end = self.read_past("\r\n\r\n").await?;
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = Vec::new();
        if head_only {
        } else if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
        } else if let Some(length) = headers.get("content-length") {
            let length: usize = length.parse().unwrap();
            while self.read.len() < length {
                assert!(self.fill().await, "the body was cut off");
            }
            body = self.read.drain(..length).collect();
        }
        Some(Answer { status, headers, body: String::from_utf8(body).unwrap() })
    }

    /// Reads the head of an answer whose body comes in chunks.
    pub async fn head(&mut self) -> String {
        let end = self.read_past("\r\n\r\n").await.expect("a head");
        String::from_utf8(self.read.drain(..end).collect()).unwrap().to_ascii_lowercase()
    }

    /// Reads one chunk; `None` for the last one.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.read_past("\r\n").await.expect("a chunk");
        let line: Vec<u8> = self.read.drain(..end).collect();
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        while self.read.len() < length + 2 {
            assert!(self.fill().await, "a chunk was cut off");
        }
        let chunk = self.read.drain(..length).collect();
        self.read.drain(..2);
        (length > 0).then_some(chunk)
    }

    /// Whether the other end closes the connection without another word.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    async fn read_past(&mut self, mark: &str) -> Option<usize> {
        loop {
            let found = self.read.windows(mark.len()).position(|window| window == mark.as_bytes());
            if let Some(found) = found {
                return Some(found + mark.len());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("an answer in time");
        let read = read.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
