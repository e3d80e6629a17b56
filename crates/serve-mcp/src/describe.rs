//! What the gateway says of itself: the results of `initialize` and `server/discover`.

use std::fmt::Write as _;

use gateway_core::{Context, Gateway, RawJson, ServerStatus};
use mcp_wire::Revision;
use serde_json::{Value, json};

use crate::config::Expose;

/// Most servers that the instructions name.
const MAX_NAMED: usize = 50;

/// Longest remark about one server, in characters.
const MAX_REMARK: usize = 160;

/// The result of `initialize`.
pub(crate) fn initialized(gateway: &Gateway, context: &Context, revision: Revision, expose: Expose) -> RawJson {
    written(&json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities(expose),
        "serverInfo": server_info(),
        "instructions": instructions(&gateway.servers(context), expose),
    }))
}

/// The result of `server/discover`.
pub(crate) fn discovered(gateway: &Gateway, context: &Context, expose: Expose) -> RawJson {
    written(&json!({
        "resultType": "complete",
        "supportedVersions": supported_versions(),
        "capabilities": capabilities(expose),
        "instructions": instructions(&gateway.servers(context), expose),
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info() },
    }))
}

/// The revisions that a request may be written in without a session.
pub(crate) fn supported_versions() -> Vec<&'static str> {
    vec![Revision::MODERN.as_str()]
}

fn server_info() -> Value {
    json!({ "name": "mcp-gateway", "title": "MCP Gateway", "version": env!("CARGO_PKG_VERSION") })
}

/// The same whatever servers there are now: others may come.
fn capabilities(expose: Expose) -> Value {
    match expose {
        Expose::Search => json!({ "tools": { "listChanged": true }, "logging": {} }),
        Expose::All => json!({
            "tools": { "listChanged": true },
            "prompts": { "listChanged": true },
            "resources": { "listChanged": true, "subscribe": true },
            "completions": {},
            "logging": {},
        }),
    }
}

/// What a model should know: which servers stand behind, and how to find their tools.
fn instructions(servers: &[ServerStatus], expose: Expose) -> String {
    let mut text = match expose {
        Expose::Search => "A gateway to many tools of several MCP servers. Describe what you want to do to \
                           `search_tools`; it returns the tools that fit, with their input schemas. Then run one with \
                           `execute_tool`, under the name that the search gave."
            .to_owned(),
        Expose::All => "A gateway to several MCP servers. The name of a tool or prompt says whose it is where the \
                        server's own name would not be enough (`server__name`)."
            .to_owned(),
    };
    let servers: Vec<_> = servers.iter().filter(|server| !server.spec.disabled()).collect();
    if servers.is_empty() {
        text.push_str(" No server stands behind it yet.");
        return text;
    }
    text.push_str("\n\nServers behind it:");
    for server in servers.iter().take(MAX_NAMED) {
        let remark = remark(&server.about);
        // A text takes what is written to it.
        let _ = match remark.as_str() {
            "" => write!(text, "\n- {}", server.spec.name()),
            remark => write!(text, "\n- {}: {remark}", server.spec.name()),
        };
    }
    if servers.len() > MAX_NAMED {
        let _ = write!(text, "\n- and {} more", servers.len() - MAX_NAMED);
    }
    text
}

/// The first line of what a server says of itself, on one line and not too long.
fn remark(about: &str) -> String {
    let line = about.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut remark: String = line.chars().filter(|c| !c.is_control()).take(MAX_REMARK).collect();
    if remark.len() < line.len() {
        remark.push('…');
    }
    remark
}

fn written(value: &Value) -> RawJson {
    RawJson::from_value(value).unwrap_or_else(|_| RawJson::empty_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_short() {
        assert_eq!(remark("\n  Files of a folder \nmore"), "Files of a folder");
        assert_eq!(remark(""), "");
        assert_eq!(remark(&"x".repeat(500)).chars().count(), MAX_REMARK + 1);
    }
}
