//! What several modules need.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Admission, Context, EngineConfig, Error, Gateway, Layer, RawJson, ServerLimits, ToolCall, ToolReply,
};
use gateway_testkit::fakes::{FakeServer, FakeTransport, builder, spec};

/// A gateway with one server, `a`, with these limits, and this layer round its calls.
pub async fn gateway(server: &FakeServer, limits: ServerLimits, layer: impl Layer) -> Gateway {
    let transport = FakeTransport::new().with_server("a", server);
    let gateway = builder(transport)
        .with_config(EngineConfig::default())
        .with_servers(vec![spec("a").with_limits(limits)])
        .with_layer(Arc::new(layer))
        .start()
        .await
        .expect("one name");
    gateway.settled().await;
    gateway
}

/// A caller who stops waiting after `timeout`.
pub async fn hasty(gateway: &Gateway, timeout: Duration) -> Context {
    let admission = Admission { timeout: Some(timeout), ..Admission::default() };
    gateway.admit(admission).await.expect("anybody may")
}

pub async fn call(gateway: &Gateway, context: &Context, tool: &str) -> Result<ToolReply, Error> {
    let call = ToolCall::new(tool, RawJson::empty_object());
    gateway.call(context, call).await
}

/// Waits until `holds`, and says what it waited for when that never happens.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
