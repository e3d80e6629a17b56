//! From what was typed of the gateway elsewhere to what it means.

use std::time::Duration;

use serve_mcp::McpConfig;
use serve_relay::{RelayConfig, Remote};

use super::read::{GIB, key, time};
use super::reader::Reader;

/// The gateway elsewhere, where there is one. It is asked to show what `mcp` says only where somebody said so.
pub(super) fn relay(reader: &mut Reader<'_>, mcp: &McpConfig, grace: Duration) -> Option<RelayConfig> {
    let remote = remote(reader);
    let is_there = remote.is_some();
    // Something to hang the limits on: they are settings even where there is no gateway.
    let nowhere = || Remote::new("http://localhost", None, None).expect("an address of ours can be read");
    let default = RelayConfig::new(remote.unwrap_or_else(nowhere));
    let relay = RelayConfig {
        connect_timeout: time(reader, "relay.connect_timeout_ms", default.connect_timeout),
        max_message_bytes: reader.count("relay.max_message_bytes", 1024..=GIB, default.max_message_bytes),
        max_requests: reader.count("relay.max_requests", 1..=100_000, default.max_requests),
        grace,
        body: mcp.body,
        remote: match reader.is_typed("mcp.expose") {
            true => default.remote.with_expose(mcp.expose.as_str()),
            false => default.remote,
        },
    };
    is_there.then_some(relay)
}

fn remote(reader: &mut Reader<'_>) -> Option<Remote> {
    let url = reader.text("relay.url", "");
    let key = key(reader, "relay.api_key");
    let session = reader.text("relay.session", "");
    let has_session = !session.is_empty();
    let is_session = http_server::is_session_id(&session);
    if has_session && !is_session {
        reader.mistake("relay.session", "must be the id of a session, as POST /sessions/create returns it");
    }
    let url = url.trim();
    if url.is_empty() {
        return None;
    }
    // Without the others, whose mistakes have been told.
    if let Err(error) = Remote::new(url, None, None) {
        reader.mistake("relay.url", format!("{error}; it is as in http://localhost:8000"));
    }
    Remote::new(url, key.as_ref(), is_session.then_some(session.as_str())).ok()
}
