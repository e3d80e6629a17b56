//! Settings of the server.

use std::time::Duration;

/// Settings of the HTTP server. The defaults suit a gateway that only this machine reaches.
#[derive(Clone, Debug)]
pub struct HttpServerConfig {
    /// Names under which the gateway may be asked for besides the loopback ones and the address that a
    /// connection came in on: `gateway.example`, or `gateway.example:8443` for one port only. `*` admits
    /// every name, and with it DNS rebinding.
    pub allowed_hosts: Vec<String>,
    /// Browser origins that may use the gateway, such as `https://app.example`. Empty: the loopback
    /// origins. The word `loopback` stands for those in a list, `*` for every origin.
    pub allowed_origins: Vec<String>,
    /// Browser origins that may add and remove servers, too. They need not be in `allowed_origins`.
    /// There is no word for all of them.
    pub admin_origins: Vec<String>,
    /// Longest request line and headers together, in bytes.
    pub header_limit_bytes: usize,
    /// Most header fields in one request.
    pub max_headers: usize,
    /// The headers of the next request must have arrived so many milliseconds after the last answer (or
    /// after the connection was made): how long an idle connection is kept, too.
    pub keep_alive_ms: u64,
    /// A client that takes nothing of its answer for so many milliseconds is cut off.
    pub write_timeout_ms: u64,
    /// Most connections at once; more wait in the kernel.
    pub max_connections: usize,
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            admin_origins: Vec::new(),
            header_limit_bytes: 32 * 1024,
            max_headers: 100,
            keep_alive_ms: 75_000,
            write_timeout_ms: 60_000,
            max_connections: 4096,
        }
    }
}

impl HttpServerConfig {
    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms)
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }
}
