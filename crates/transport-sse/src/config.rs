//! Settings of the transport.

use std::time::Duration;

/// How [`SseTransport`](crate::SseTransport) treats the servers it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseConfig {
    /// The name that servers hear.
    pub client_name: String,
    /// The version that servers hear.
    pub client_version: String,
    /// How long a server may take to name its endpoint. A server of another transport may open the
    /// stream and never name one.
    pub endpoint_timeout: Duration,
}

impl Default for SseConfig {
    fn default() -> Self {
        Self {
            client_name: "mcp-gateway".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            endpoint_timeout: Duration::from_secs(10),
        }
    }
}
