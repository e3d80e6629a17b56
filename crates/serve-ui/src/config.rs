//! Settings of the dashboard.

use std::time::Duration;

use gateway_core::ServerLimits;
use http_server::BodyLimits;

/// Settings of the dashboard.
#[derive(Clone, Debug)]
pub struct UiConfig {
    /// Who may add and remove servers with it.
    pub change_servers: ChangeServers,
    /// The limits of added servers that say nothing of their own.
    pub server_limits: ServerLimits,
    /// What the body of a request may be.
    pub body: BodyLimits,
    /// How long a tool that is run from the page may take, in milliseconds.
    pub call_timeout_ms: u64,
    /// The live log, when it is silent for so many milliseconds, gets a comment.
    pub keep_alive_ms: u64,
}

/// Who may add and remove servers with the dashboard. Servers with a `command` are the engine's decision besides
/// ([`CommandServers`](gateway_core::CommandServers)): a browser adds them with the API key only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangeServers {
    /// Whoever may use it.
    #[default]
    Always,
    /// Only callers with the API key.
    Authenticated,
    /// Nobody.
    Never,
}

impl Default for UiConfig {
    fn default() -> Self {
        Self {
            change_servers: ChangeServers::default(),
            server_limits: ServerLimits::default(),
            body: BodyLimits { bytes: 4 * 1024 * 1024, ..BodyLimits::default() },
            call_timeout_ms: 10 * 60 * 1000,
            keep_alive_ms: 15_000,
        }
    }
}

impl UiConfig {
    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms.max(1))
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms.max(1))
    }
}
