//! Arrows between crates only point down: core ← leaves and server ← doors ← app ← binaries.

use std::path::Path;

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// `gateway-core`.
    Core,
    /// `mcp-wire`: for transports and the doors that speak MCP only.
    Wire,
    /// Transports, routers, stores, queues, authenticators, wrappers.
    Leaf,
    /// `http-server` and `answer-json`: what doors stand on.
    Server,
    /// The doors.
    Door,
    /// `gateway-app`, which knows all of the above.
    App,
    /// The gateway's programs.
    Binary,
    /// The REST client: for users, so it knows none of ours.
    Client,
    /// The suites: for tests, so they know what is tested against.
    Testkit,
    /// Programs that measure parts of the gateway.
    Tool,
    /// Programs for people to read and try.
    Example,
    /// The project's own tasks: they must work when nothing else does.
    Xtask,
}

/// A crate's layer by its folder and name; `None` for a crate that has no place yet.
pub fn layer_of(folder: &Path, name: &str) -> Option<Layer> {
    let top = folder.components().next()?.as_os_str().to_str()?;
    match (top, name) {
        ("bins", _) => Some(Layer::Binary),
        ("examples", _) => Some(Layer::Example),
        ("xtask", _) => Some(Layer::Xtask),
        ("crates", "gateway-core") => Some(Layer::Core),
        ("crates", "mcp-wire") => Some(Layer::Wire),
        ("crates", "http-server" | "answer-json") => Some(Layer::Server),
        ("crates", "gateway-app") => Some(Layer::App),
        ("crates", "gateway-client") => Some(Layer::Client),
        ("crates", "gateway-testkit") => Some(Layer::Testkit),
        ("crates", "eval-routing" | "torture") => Some(Layer::Tool),
        ("crates", "gateway-layers" | "gateway-telemetry" | "gateway-usage") => Some(Layer::Leaf),
        ("crates", name) => {
            const LEAVES: [&str; 7] =
                ["transport-", "router-", "session-store-", "queue-", "inventory-", "auth-", "config-"];
            match () {
                () if name.starts_with("serve-") => Some(Layer::Door),
                () if LEAVES.iter().any(|prefix| name.starts_with(prefix)) => Some(Layer::Leaf),
                () => None,
            }
        }
        _ => None,
    }
}

/// Why the crate `from` must not name `to` in its `[dependencies]`, if so.
pub fn forbids(from: (Layer, &str), to: (Layer, &str)) -> Option<&'static str> {
    let speaks_mcp = from.1.starts_with("transport-") || ["serve-mcp", "serve-relay"].contains(&from.1);
    match (from.0, to.0) {
        // Some examples are libraries, for what several others share.
        (Layer::Example, Layer::Example) => None,
        (_, Layer::Xtask | Layer::Example | Layer::Binary | Layer::Tool) => Some("nothing depends on a program"),
        (Layer::Xtask, _) => Some("xtask must work when our crates do not compile"),
        (Layer::Example, _) => None,
        (_, Layer::Testkit) => Some("the testkit belongs in [dev-dependencies]"),
        // It asks a gateway from outside.
        (Layer::Tool, Layer::Client) => None,
        (Layer::Client, _) => Some("the client knows the wire, not the engine"),
        (_, Layer::Client) => Some("the gateway does not talk to itself over HTTP"),
        // Its fake gateway is put together from real leaves.
        (Layer::Testkit, Layer::Core | Layer::Wire | Layer::Leaf) => None,
        (Layer::Tool, Layer::Core | Layer::Leaf) => None,
        (Layer::Tool, _) => Some("a tool measures leaves through the contracts, and knows no door or app"),
        (Layer::Testkit, _) => Some("the testkit serves doors and the app, so it knows neither"),
        (Layer::Core, _) => Some("the core knows no other crate"),
        (Layer::Leaf | Layer::Door, Layer::Wire) if !speaks_mcp => {
            Some("only transports, serve-mcp and serve-relay speak MCP's wire")
        }
        (Layer::Server, to) if to != Layer::Core => {
            Some("what doors stand on knows the engine, and no door or protocol")
        }
        (Layer::Leaf, Layer::Leaf) => Some("a leaf never sees another leaf"),
        (Layer::Door, Layer::Door) => Some("a door never calls a door"),
        (Layer::Door, Layer::Leaf) => Some("a door sees the engine; gateway-app chooses the leaves"),
        (Layer::Binary, to) if to < Layer::App && to != Layer::Core => Some("a binary is thin: gateway-app assembles"),
        (from, to) if to >= from => Some("arrows only point down"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_down() {
        let place = |name: &'static str| {
            let folder = match name {
                "gateway-http" => "bins",
                "embed" | "chat-model" => "examples",
                "xtask" => "xtask",
                _ => "crates",
            };
            (layer_of(&Path::new(folder).join(name), name).unwrap(), name)
        };
        let cases = [
            ("router-keyword", "gateway-core", true),
            ("transport-stdio", "mcp-wire", true),
            ("mcp-wire", "gateway-core", true),
            ("serve-rest", "gateway-core", true),
            ("http-server", "gateway-core", true),
            ("serve-rest", "http-server", true),
            ("serve-rest", "answer-json", true),
            ("serve-queue", "answer-json", true),
            ("serve-queue", "queue-memory", false),
            ("answer-json", "gateway-core", true),
            ("answer-json", "http-server", false),
            ("queue-memory", "answer-json", false),
            ("serve-mcp", "http-server", true),
            ("serve-mcp", "mcp-wire", true),
            ("serve-relay", "http-server", true),
            ("serve-relay", "mcp-wire", true),
            ("gateway-app", "serve-relay", true),
            ("gateway-app", "serve-rest", true),
            ("gateway-app", "http-server", true),
            ("gateway-app", "transport-http", true),
            ("gateway-http", "gateway-app", true),
            ("gateway-testkit", "gateway-core", true),
            ("gateway-testkit", "mcp-wire", true),
            ("gateway-testkit", "router-keyword", true),
            ("eval-routing", "gateway-core", true),
            ("eval-routing", "router-keyword", true),
            ("torture", "gateway-client", true),
            ("torture", "gateway-app", false),
            ("embed", "router-keyword", true),
            ("embed", "gateway-client", true),
            ("embed", "chat-model", true),
            ("gateway-core", "mcp-wire", false),
            ("router-keyword", "mcp-wire", false),
            ("transport-stdio", "transport-http", false),
            ("auth-api-key", "gateway-layers", false),
            ("serve-rest", "router-keyword", false),
            ("serve-rest", "serve-mcp", false),
            ("serve-rest", "mcp-wire", false),
            ("serve-relay", "transport-http", false),
            ("serve-relay", "serve-mcp", false),
            ("gateway-layers", "serve-rest", false),
            ("gateway-layers", "http-server", false),
            ("http-server", "serve-rest", false),
            ("http-server", "mcp-wire", false),
            ("http-server", "auth-api-key", false),
            ("gateway-http", "http-server", false),
            ("gateway-testkit", "http-server", false),
            ("serve-rest", "gateway-app", false),
            ("gateway-http", "serve-rest", false),
            ("gateway-http", "gateway-testkit", false),
            ("gateway-app", "gateway-client", false),
            ("gateway-client", "gateway-core", false),
            ("gateway-testkit", "serve-rest", false),
            ("gateway-app", "embed", false),
            ("gateway-client", "chat-model", false),
            ("eval-routing", "gateway-testkit", false),
            ("eval-routing", "serve-rest", false),
            ("eval-routing", "gateway-app", false),
            ("eval-routing", "mcp-wire", false),
            ("router-keyword", "eval-routing", false),
            ("gateway-app", "eval-routing", false),
            ("embed", "eval-routing", false),
            ("xtask", "eval-routing", false),
            ("xtask", "gateway-core", false),
        ];
        for (from, to, allowed) in cases {
            assert_eq!(forbids(place(from), place(to)).is_none(), allowed, "{from} → {to}");
        }
        assert_eq!(layer_of(Path::new("crates/misc"), "misc"), None);
    }
}
