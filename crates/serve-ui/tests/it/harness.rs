//! A gateway with its dashboard on a port, and a client that can say anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_api_key::ApiKeyAuth;
use gateway_core::{Connect, EngineConfig, Gateway, GatewayBuilder, Result, Secret, Transport, Upstream};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, spec};
use http::{HeaderMap, Request};
use http_server::{HttpServer, HttpServerConfig, serve};
use router_keyword::KeywordRouter;
use serde_json::Value;
use serve_ui::{UiConfig, UiDoor};
use session_store_memory::MemoryStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The tools of the server `demo`, as their server declares them: hostile where that can be.
pub const DEMO_TOOLS: &str = r#"{"tools":[
    {"name":"echo","title":"Echo","description":"Repeats the message that it is given <img src=x onerror=alert(1)>",
     "inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"what to say"},
      "times":{"type":"integer","default":1},"loud":{"type":"boolean"}},"required":["message"]}},
    {"name":"picture","description":"Draws","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
    {"name":"fail","description":"Fails","inputSchema":{"type":"object"}},
    {"name":"wipe","description":"Deletes everything","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true}}]}"#;

/// A running dashboard.
pub struct Dashboard {
    pub address: SocketAddr,
    pub gateway: Gateway,
    pub demo: FakeServer,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<std::io::Result<()>>,
}

/// How it is started.
#[derive(Default)]
pub struct Setup {
    pub key: Option<&'static str>,
    pub ui: UiConfig,
    pub server: HttpServerConfig,
    pub engine: EngineConfig,
    /// Servers besides `demo`.
    pub servers: Vec<(&'static str, FakeServer)>,
}

/// Reaches any URL and any program by pretending.
#[derive(Debug)]
struct Pretended(&'static str);

#[async_trait]
impl Transport for Pretended {
    fn name(&self) -> &str {
        self.0
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let server = FakeServer::new().with_tool("extra", "One more tool", Answer::echo());
        FakeTransport::new().with_server(connect.spec.name(), &server).connect(connect).await
    }
}

pub fn demo() -> FakeServer {
    let picture =
        r#"{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="},{"type":"resource","uri":"x"}]}"#;
    let failure = r#"{"content":[{"type":"text","text":"<script>no</script>"}],"isError":true}"#;
    FakeServer::new()
        .with_tool("echo", "", Answer::echo())
        .with_tool("picture", "", Answer::result(picture))
        .with_tool("fail", "", Answer::result(failure))
        .with_tool("wipe", "", Answer::echo())
        .with_pages(&[DEMO_TOOLS])
}

impl Dashboard {
    pub async fn open() -> Self {
        Self::with(Setup::default(), |door| door).await
    }

    pub async fn with(setup: Setup, more: impl FnOnce(UiDoor) -> UiDoor) -> Self {
        let demo = demo();
        let mut servers = vec![("demo", demo.clone())];
        servers.extend(setup.servers);
        let fakes = servers.iter().fold(FakeTransport::new(), |all, (name, server)| all.with_server(name, server));
        let auth = Arc::new(ApiKeyAuth::new(setup.key.map(Secret::new)));
        let gateway = GatewayBuilder::new(Arc::new(KeywordRouter::default()), Arc::new(MemoryStore::new()), auth)
            .with_config(setup.engine)
            .with_transport(Arc::new(fakes))
            .with_transport(Arc::new(Pretended("http")))
            .with_transport(Arc::new(Pretended("stdio")))
            .with_servers(servers.iter().map(|(name, _)| spec(name)).collect())
            .start()
            .await
            .unwrap();
        gateway.settled().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let door = more(UiDoor::new(gateway.clone(), setup.ui));
        let server = HttpServer::new(setup.server, Arc::new(door));
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move { serve(listener, server, stop, Duration::from_secs(5)).await });
        Self { address, gateway, demo, shutdown, serving }
    }

    /// What the page's script would get: a fragment.
    pub async fn ask(&self, path: &str, body: &Value) -> Answered {
        self.send(&self.request(path), &body.to_string()).await
    }

    /// A fragment that must be there.
    pub async fn fragment(&self, path: &str, body: Value) -> String {
        let answered = self.ask(path, &body).await;
        assert_eq!(answered.status, 200, "{path} {body}: {}", answered.body);
        answered.body
    }

    /// The head of a request as the page's script sends it.
    pub fn request(&self, path: &str) -> http::request::Parts {
        let request = Request::post(format!("/ui/{path}"))
            .header("host", self.address.to_string())
            .header("origin", format!("http://{}", self.address))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/json")
            .header("x-gateway-ui", "1");
        request.body(()).unwrap().into_parts().0
    }

    pub async fn get(&self, path: &str) -> Answered {
        let request = Request::get(path).header("host", self.address.to_string()).body(()).unwrap();
        self.send(&request.into_parts().0, "").await
    }

    /// Sends one request on a connection of its own.
    pub async fn send(&self, head: &http::request::Parts, body: &str) -> Answered {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text_of(head, body, "close").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
        Answered::parse(&String::from_utf8(bytes).unwrap())
    }

    /// A connection on which the live log is asked for.
    pub async fn follow(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = self.request("live");
        stream.write_all(text_of(&head, "{}", "keep-alive").as_bytes()).await.unwrap();
        stream
    }
}

fn text_of(head: &http::request::Parts, body: &str, connection: &str) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\nconnection: {connection}\r\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    if head.method == http::Method::POST {
        text += &format!("content-length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

/// Reads until `stream` has sent `words`.
pub async fn read_until(stream: &mut TcpStream, words: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(words) {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("{words:?} does not come: {text}")).unwrap();
        assert!(read > 0, "the stream ended before {words:?}: {text}");
        text += std::str::from_utf8(&buffer[..read]).unwrap();
    }
    text
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answered {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }
}
