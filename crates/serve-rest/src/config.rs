//! Settings of the door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::ServerLimits;

/// Settings of the REST door. The defaults suit a gateway that only this machine reaches.
#[derive(Clone, Debug)]
pub struct RestConfig {
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
    /// What `${VAR}` stands for in added servers. Only callers who may start programs may write it: they read
    /// the gateway's environment anyway.
    pub variables: Lookup,
    /// The limits of added servers that say nothing of their own.
    pub server_limits: ServerLimits,
    /// Longest request body, in bytes.
    pub body_limit_bytes: usize,
    /// A request body must have arrived after so many milliseconds.
    pub body_timeout_ms: u64,
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
    /// Longest time limit that a caller may set for a call, in milliseconds.
    pub max_timeout_ms: u64,
    /// Deepest nesting of arrays and objects in a request body.
    pub max_nesting: usize,
    /// An event stream that is silent for so many milliseconds gets a comment.
    pub event_keep_alive_ms: u64,
    /// Progress and log messages that may wait for a slow reader of an event stream; more are dropped.
    pub max_waiting_events: usize,
}

impl Default for RestConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            admin_origins: Vec::new(),
            variables: Lookup::default(),
            server_limits: ServerLimits::default(),
            body_limit_bytes: 16 * 1024 * 1024,
            body_timeout_ms: 30_000,
            header_limit_bytes: 32 * 1024,
            max_headers: 100,
            keep_alive_ms: 75_000,
            write_timeout_ms: 60_000,
            max_connections: 4096,
            max_timeout_ms: 60 * 60 * 1000,
            max_nesting: 128,
            event_keep_alive_ms: 15_000,
            max_waiting_events: 1024,
        }
    }
}

impl RestConfig {
    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms)
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    pub(crate) fn event_keep_alive(&self) -> Duration {
        Duration::from_millis(self.event_keep_alive_ms.max(1))
    }
}

/// Looks variables up by their names. The default knows none.
#[derive(Clone)]
pub struct Lookup(Arc<Find>);

type Find = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Lookup {
    /// A lookup that asks `find`; it is called under a request, so it must be quick.
    pub fn new(find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// What the variable `name` says, if there is one.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Lookup {
    /// Shows no variable: many are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}
