//! What several modules need.

use std::time::Duration;

use gateway_core::{Context, Error, Gateway, RawJson, ServerState, ToolCall, ToolReply};

/// A call of `name` with `args`.
pub fn tool_call(name: &str, args: &str) -> ToolCall {
    ToolCall::new(name, RawJson::parse(args.to_owned()).expect("valid JSON"))
}

pub async fn call(gateway: &Gateway, context: &Context, name: &str) -> Result<ToolReply, Error> {
    gateway.call(context, tool_call(name, "{}")).await
}

/// Waits until `holds`, and says what it waited for when that never happens.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn state(gateway: &Gateway, context: &Context, name: &str) -> ServerState {
    let servers = gateway.servers(context);
    servers.iter().find(|server| server.spec.name() == name).expect("is there").state
}
