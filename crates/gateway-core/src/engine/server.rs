//! One upstream server as the engine sees it: its spec, its connection, its tools, its state.

use serde::Serialize;

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Switched off in its configuration.
    Disabled,
    /// Not connected, since nobody needs it; the next call connects.
    Idle,
    /// Being connected.
    Connecting,
    /// Connected, and its tools are known.
    Ready,
    /// Connected, but not in order: its tools could not be read, or it has stopped answering.
    Degraded,
    /// Lost or not reached; the next attempt is due soon.
    BackingOff,
    /// Can never work as it is configured; tried again when somebody calls it.
    Failed,
}

/// One upstream server.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// What it is.
    pub fn spec(&self) -> &std::sync::Arc<crate::ServerSpec> {
        todo!()
    }
}
