//! Settings of the door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::ServerLimits;
use http_server::BodyLimits;

/// Settings of the REST door.
#[derive(Clone, Debug)]
pub struct RestConfig {
    /// What `${VAR}` stands for in added servers. Only callers who may start programs may write it: they read
    /// the gateway's environment anyway.
    pub variables: Lookup,
    /// The limits of added servers that say nothing of their own.
    pub server_limits: ServerLimits,
    /// What a request body may be.
    pub body: BodyLimits,
    /// Longest time limit that a caller may set for a call, in milliseconds.
    pub max_timeout_ms: u64,
    /// An event stream that is silent for so many milliseconds gets a comment.
    pub event_keep_alive_ms: u64,
    /// Progress and log messages that may wait for a slow reader of an event stream; more are dropped.
    pub max_waiting_events: usize,
}

impl Default for RestConfig {
    fn default() -> Self {
        Self {
            variables: Lookup::default(),
            server_limits: ServerLimits::default(),
            body: BodyLimits::default(),
            max_timeout_ms: 60 * 60 * 1000,
            event_keep_alive_ms: 15_000,
            max_waiting_events: 1024,
        }
    }
}

impl RestConfig {
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
