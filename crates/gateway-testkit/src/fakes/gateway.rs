//! A whole gateway over fake servers.

use std::sync::Arc;

use gateway_core::{Admission, Context, Credentials, Endpoint, EngineConfig, Gateway, GatewayBuilder, ServerSpec, Url};

use super::{FakeAuth, FakeRouter, FakeServer, FakeStore, FakeTransport};

/// A running gateway with these servers in its default session, each tried once.
///
/// # Panics
/// Where two servers have one name.
pub async fn gateway(servers: &[(&str, &FakeServer)]) -> Gateway {
    gateway_with(servers, EngineConfig::default(), |builder| builder).await
}

/// The same with other settings and parts.
///
/// # Panics
/// Where two servers have one name.
pub async fn gateway_with(
    servers: &[(&str, &FakeServer)],
    config: EngineConfig,
    more: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
) -> Gateway {
    let transport = servers.iter().fold(FakeTransport::new(), |all, (name, server)| all.with_server(name, server));
    let specs = servers.iter().map(|(name, _)| spec(name)).collect();
    let builder = builder(transport).with_config(config).with_servers(specs);
    let gateway = more(builder).start().await.expect("names are unique");
    gateway.settled().await;
    gateway
}

/// The parts of a gateway over fake servers, for a test that wants to add more.
pub fn builder(transport: FakeTransport) -> GatewayBuilder {
    GatewayBuilder::new(Arc::new(FakeRouter), FakeStore::shared(), Arc::new(FakeAuth::open()))
        .with_transport(Arc::new(transport))
}

/// The spec of a fake server.
///
/// # Panics
/// Where the name is not valid.
pub fn spec(name: &str) -> ServerSpec {
    ServerSpec::new(name, "fake", Endpoint::Url(Url::default())).expect("a valid name")
}

/// A context for a caller on this machine, in the default session or another one.
///
/// # Panics
/// Where the session is not there.
pub async fn context(gateway: &Gateway, session_id: Option<&str>) -> Context {
    let admission = Admission {
        request_id: "test".to_owned(),
        credentials: Credentials { token: None, local: true },
        session_id: session_id.map(str::to_owned),
        ..Admission::default()
    };
    gateway.admit(admission).await.expect("anybody may")
}
