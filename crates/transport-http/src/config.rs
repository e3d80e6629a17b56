//! Settings of the transport.

use std::time::Duration;

/// How [`HttpTransport`](crate::HttpTransport) treats the servers it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The name that servers hear.
    pub client_name: String,
    /// The version that servers hear.
    pub client_version: String,
    /// How long an unused `http` connection is kept for the next request. Node and uvicorn close
    /// theirs after 5 seconds: a request that crosses that close on the wire is lost, and must not be
    /// repeated since nobody knows whether it was read. A `Keep-Alive: timeout=N` of the server counts
    /// instead where there is one.
    pub idle_timeout: Duration,
    /// The same for `https`, where a new connection costs more and a proxy with a longer patience
    /// usually stands in front.
    pub tls_idle_timeout: Duration,
    /// How long [`close`](gateway_core::Upstream::close) waits for the server to end the session.
    pub close_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            client_name: "mcp-gateway".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            idle_timeout: Duration::from_secs(4),
            tls_idle_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(2),
        }
    }
}
