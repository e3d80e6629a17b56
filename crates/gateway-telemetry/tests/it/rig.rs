//! A gateway with both doors, and a reference server behind each transport.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use gateway_core::{Command, Endpoint, Gateway, GatewayBuilder, ServerSpec, Url};
use gateway_telemetry::Telemetry;
use gateway_testkit::fakes::{FakeAuth, FakeRouter, FakeStore};
use gateway_testkit::reference::{ReferenceProcess, program};
use http_server::{HttpServer, HttpServerConfig};
use serde_json::{Value, json};
use serve_mcp::{Expose, McpConfig, McpDoor};
use serve_rest::{Metrics, RestConfig, RestDoor};
use transport_http::{HttpConfig, HttpTransport};
use transport_sse::{SseConfig, SseTransport};
use transport_stdio::{StdioConfig, StdioTransport};

use crate::collector::Collector;

/// Names of the servers.
pub const SERVERS: [&str; 4] = ["stdio", "legacy", "modern", "sse"];

pub struct Rig {
    gateway: Gateway,
    http: HttpServer,
    telemetry: Option<Telemetry>,
    _servers: [ReferenceProcess; 3],
}

/// What the variables say that send everything to a collector.
pub fn variables(collector: &Collector) -> Vec<(&'static str, String)> {
    vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.clone())]
}

pub fn telemetry(variables: &[(&'static str, String)]) -> Option<Telemetry> {
    let lookup = |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone());
    Telemetry::from_env(lookup).expect("good variables")
}

impl Rig {
    pub async fn start(telemetry: Option<Telemetry>) -> Self {
        let servers = [
            ReferenceProcess::http(&["--name", "legacy"]),
            ReferenceProcess::http(&["--name", "modern", "--era", "modern"]),
            ReferenceProcess::old_sse(&["--name", "sse"]),
        ];
        let program = program().to_str().expect("a path in UTF-8").to_owned();
        let command = Command { program, args: vec!["--name".to_owned(), "stdio".to_owned()], ..Command::default() };
        let url = |place: usize| Endpoint::Url(Url { url: servers[place].url().to_owned(), ..Url::default() });
        let specs = [
            ("stdio", "stdio", Endpoint::Command(command)),
            ("legacy", "http", url(0)),
            ("modern", "http", url(1)),
            ("sse", "sse", url(2)),
        ]
        .map(|(name, transport, endpoint)| ServerSpec::new(name, transport, endpoint).expect("a good name"));
        let mut builder = GatewayBuilder::new(Arc::new(FakeRouter), FakeStore::shared(), Arc::new(FakeAuth::open()))
            .with_transport(Arc::new(HttpTransport::new(HttpConfig::default())))
            .with_transport(Arc::new(SseTransport::new(SseConfig::default())))
            .with_transport(Arc::new(StdioTransport::new(StdioConfig::default())))
            .with_servers(specs.into());
        if let Some(telemetry) = &telemetry {
            builder = builder.with_tracer(telemetry.tracer());
        }
        let gateway = builder.start().await.expect("names are unique");
        gateway.settled().await;
        let mcp = McpDoor::new(gateway.clone(), McpConfig { expose: Expose::All, ..McpConfig::default() });
        let metrics = Metrics::new("text/plain", String::new);
        let rest = RestDoor::new(gateway.clone(), RestConfig::default(), metrics);
        let http = HttpServer::new(HttpServerConfig::default(), Arc::new(rest)).with_door(Arc::new(mcp));
        Self { gateway, http, telemetry, _servers: servers }
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (HeaderMap, Value) {
        let mut request = Request::post(path).header("host", "localhost").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).expect("a request");
        let (head, body) = self.http.answer(request).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        (head.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Runs a tool by the REST door and returns the JSON in its text.
    pub async fn execute(&self, tool: &str, headers: &[(&str, &str)]) -> Value {
        let body = json!({"tool_name": tool, "args": {"text": "rosebud"}});
        let (_, answer) = self.post("/mcp/execute", headers, &body).await;
        let text = answer["result"]["content"].as_str().unwrap_or_else(|| panic!("{answer}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Ends the gateway, and waits until the collector has everything.
    pub async fn close(self) {
        self.gateway.shutdown().await;
        if let Some(telemetry) = self.telemetry {
            telemetry.shutdown(Duration::from_secs(10)).await;
        }
    }
}
