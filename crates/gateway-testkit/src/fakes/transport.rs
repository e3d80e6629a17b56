//! A transport whose servers live in the test's own process.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{
    Connect, Era, Error, ErrorKind, Notification, RawJson, Result, Retry, Transport, Upstream, UpstreamInfo,
    UpstreamRequest,
};

use super::FakeServer;

/// The transport `fake`: finds its servers by the name in the spec.
#[derive(Debug, Default)]
pub struct FakeTransport {
    servers: HashMap<String, FakeServer>,
}

impl FakeTransport {
    /// A transport without servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more server.
    #[must_use]
    pub fn with_server(mut self, name: &str, server: &FakeServer) -> Self {
        self.servers.insert(name.to_owned(), server.clone());
        self
    }
}

#[async_trait]
impl Transport for FakeTransport {
    fn name(&self) -> &str {
        "fake"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let name = connect.spec.name();
        let server = self
            .servers
            .get(name)
            .ok_or_else(|| Error::new(ErrorKind::InvalidRequest, format!("no fake server is called `{name}`")))?;
        let id = server.connect(connect.events).await?;
        Ok(Arc::new(FakeUpstream { server: server.clone(), id, info: info(server) }))
    }
}

#[derive(Debug)]
struct FakeUpstream {
    server: FakeServer,
    id: usize,
    info: UpstreamInfo,
}

#[async_trait]
impl Upstream for FakeUpstream {
    fn info(&self) -> &UpstreamInfo {
        &self.info
    }

    async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        if !self.server.is_open(self.id) {
            return Err(Error::new(ErrorKind::Unavailable, "the fake is gone").with_retry(Retry::Safe));
        }
        self.server.answer(&request.method, &request.params, request.listener).await
    }

    async fn notify(&self, notification: Notification) -> Result<()> {
        self.server.hear(notification);
        Ok(())
    }

    async fn close(&self) {
        self.server.close(self.id);
    }
}

fn info(server: &FakeServer) -> UpstreamInfo {
    let raw = |text: &'static str| RawJson::parse(text).expect("valid JSON");
    let more = ["prompts", "resources", "logging", "completions"].into_iter().filter(|name| {
        let stem = if *name == "completions" { "completion/" } else { *name };
        server.answers(stem)
    });
    let more: String = more.map(|name| format!(r#","{name}":{{}}"#)).collect();
    UpstreamInfo {
        protocol_version: "2025-11-25".to_owned(),
        era: Era::Legacy,
        raw: raw("{}"),
        capabilities: RawJson::parse(format!(r#"{{"tools":{{"listChanged":true}}{more}}}"#)).expect("valid JSON"),
        server_info: None,
        instructions: None,
        process_id: None,
    }
}
