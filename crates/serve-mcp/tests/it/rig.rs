//! A gateway with both doors, and servers behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use gateway_core::{
    Auth, Command, Endpoint, EngineConfig, Era, Gateway, GatewayBuilder, Layer, Prefix, RawJson, ServerLimits,
    ServerSpec, SessionStore, Url,
};
use gateway_testkit::fakes::{FakeAuth, FakeRouter, FakeServer, FakeStore, FakeTransport, spec};
use gateway_testkit::reference::{Options, ServedEra, Server, program, serve_http};
use http::{Request, Response};
use http_server::{HttpServer, HttpServerConfig};
use serve_mcp::{Expose, McpConfig, McpDoor};
use serve_rest::{Metrics, RestConfig, RestDoor};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transport_http::{HttpConfig, HttpTransport};
use transport_stdio::{StdioConfig, StdioTransport};

/// No test waits longer for anything. The machine may be busy with much else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `work` comes to, within the patience of a test.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// How something is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Http,
    Stdio,
}

/// What stands behind the gateway, and how it is set up.
pub struct Setup {
    pub mcp: McpConfig,
    pub engine: EngineConfig,
    pub server: HttpServerConfig,
    pub auth: Arc<dyn Auth>,
    pub store: Arc<dyn SessionStore>,
    pub layers: Vec<Arc<dyn Layer>>,
    /// Reference servers: how each is reached, and its options, which have its name.
    pub servers: Vec<(Wire, Options)>,
    pub fakes: Vec<(&'static str, FakeServer)>,
    /// Those of the fakes.
    pub limits: ServerLimits,
}

impl Default for Setup {
    fn default() -> Self {
        let capabilities = r#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;
        Self {
            mcp: McpConfig { expose: Expose::All, ..McpConfig::default() },
            engine: EngineConfig {
                prefix: Prefix::OnCollision,
                client_capabilities: RawJson::parse(capabilities).unwrap(),
                ..EngineConfig::default()
            },
            server: HttpServerConfig::default(),
            auth: Arc::new(FakeAuth::open()),
            store: FakeStore::shared(),
            layers: Vec::new(),
            servers: Vec::new(),
            fakes: Vec::new(),
            limits: ServerLimits::default(),
        }
    }
}

/// The options of a reference server.
pub fn reference(name: &str, era: Era) -> Options {
    let era = if era == Era::Modern { ServedEra::Modern } else { ServedEra::Legacy };
    Options { name: name.to_owned(), era, ..Options::default() }
}

/// The options of one that offers what the conformance suite asks.
pub fn fixture(name: &str, era: Era) -> Options {
    Options { conformance: true, ..reference(name, era) }
}

/// A running gateway.
pub struct Rig {
    pub gateway: Gateway,
    pub door: McpDoor,
    pub http: HttpServer,
    pub stop: CancellationToken,
    /// Ends the reference servers of this process, after the gateway.
    servers: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Rig {
    pub async fn new(setup: Setup) -> Self {
        let (stop, servers, mut tasks) = (CancellationToken::new(), CancellationToken::new(), Vec::new());
        let mut specs = Vec::new();
        for (wire, options) in setup.servers {
            let spec = match wire {
                Wire::Stdio => ServerSpec::new(&options.name, "stdio", Endpoint::Command(command(&options))),
                Wire::Http => {
                    let (url, serving) = serve(options.clone(), servers.clone()).await;
                    tasks.push(serving);
                    ServerSpec::new(&options.name, "http", Endpoint::Url(Url { url, ..Url::default() }))
                }
            };
            specs.push(spec.unwrap());
        }
        let mut fakes = FakeTransport::new();
        for (name, server) in &setup.fakes {
            fakes = fakes.with_server(name, server);
            specs.push(spec(name).with_limits(setup.limits.clone()));
        }
        let builder = GatewayBuilder::new(Arc::new(FakeRouter), setup.store, setup.auth)
            .with_config(setup.engine)
            .with_transport(Arc::new(HttpTransport::new(HttpConfig::default())))
            .with_transport(Arc::new(StdioTransport::new(StdioConfig::default())))
            .with_transport(Arc::new(fakes))
            .with_servers(specs);
        let builder = setup.layers.into_iter().fold(builder, GatewayBuilder::with_layer);
        let gateway = builder.start().await.unwrap();
        in_time("the servers", gateway.settled()).await;
        let door = McpDoor::new(gateway.clone(), setup.mcp);
        let metrics = Metrics::new("text/plain", String::new);
        let rest = RestDoor::new(gateway.clone(), RestConfig::default(), metrics);
        let http = HttpServer::new(setup.server, Arc::new(rest)).with_door(Arc::new(door.clone()));
        let (tended, until) = (door.clone(), stop.clone());
        tasks.push(tokio::spawn(async move { tended.tend(&until).await }));
        Self { gateway, door, http, stop, servers, tasks }
    }

    /// Answers an HTTP request.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        in_time("an answer", self.http.answer(request)).await
    }

    /// Ends everything.
    pub async fn close(self) {
        self.stop.cancel();
        in_time("the end of the gateway", self.gateway.shutdown()).await;
        self.servers.cancel();
        for task in self.tasks {
            in_time("the end of a task", task).await.unwrap();
        }
    }
}

/// A reference server in this process.
async fn serve(options: Options, stop: CancellationToken) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = Server::new(options);
    let serving = tokio::spawn(async move { serve_http(&server, listener, stop.cancelled_owned()).await.unwrap() });
    (url, serving)
}

fn command(options: &Options) -> Command {
    let era = match options.era {
        ServedEra::Legacy => "legacy",
        ServedEra::Modern => "modern",
        ServedEra::Both => "both",
    };
    let mut args = vec!["--era".to_owned(), era.to_owned(), "--name".to_owned(), options.name.clone()];
    args.extend(options.conformance.then(|| "--conformance".to_owned()));
    Command { program: program().to_str().unwrap().to_owned(), args, ..Command::default() }
}
