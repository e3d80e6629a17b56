//! Settings of the door.

use std::time::Duration;

use http_server::BodyLimits;

/// How the door shows the gateway to MCP clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpConfig {
    /// What clients see where their URL does not say otherwise (`?expose=`).
    pub expose: Expose,
    /// Tools that are shown beside the two of [`Expose::Search`], by their names across servers.
    pub pinned: Vec<String>,
    /// Which servers a legacy client gets whose URL and headers do not say.
    pub binding: Binding,
    /// Most entries on one page of a list.
    pub page_size: usize,
    /// Life of a legacy session without use, in milliseconds.
    pub session_ttl_ms: u64,
    /// The same for a session that has servers of its own, which cost processes: a client that went away without
    /// a word leaves them running for so long. One that comes back later initializes again.
    pub own_session_ttl_ms: u64,
    /// Most legacy sessions at once.
    pub max_sessions: usize,
    /// A silent stream gets a comment this often, in milliseconds.
    pub keep_alive_ms: u64,
    /// A stream whose connection broke off waits so long for its client to take it up again, in
    /// milliseconds; then what it was for is cancelled.
    pub resume_window_ms: u64,
    /// A call whose server asks something waits so long for the client to come back with the answer
    /// (2026-07-28, `input_required`), in milliseconds; then it is cancelled.
    pub input_window_ms: u64,
    /// Progress and log messages that may wait for a slow reader; more are dropped.
    pub max_waiting_events: usize,
    /// A client that asks for its first list waits at most so long for servers that are just being started,
    /// in milliseconds.
    pub first_list_patience_ms: u64,
    /// What the door bears of a request body.
    pub body: BodyLimits,
}

/// What clients see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expose {
    /// Two tools: one that finds tools, and one that runs them.
    #[default]
    Search,
    /// Every tool, prompt and resource of every server.
    All,
}

/// Which servers a legacy client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// Those of the default session, together with all others.
    #[default]
    Shared,
    /// Those of a session of its own, which ends with it.
    Own,
}

impl Expose {
    /// Its word in configuration and URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::All => "all",
        }
    }

    /// The exposure with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Search, Self::All].into_iter().find(|expose| expose.as_str() == word)
    }
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            expose: Expose::default(),
            pinned: Vec::new(),
            binding: Binding::default(),
            page_size: 1000,
            session_ttl_ms: 60 * 60 * 1000,
            own_session_ttl_ms: 5 * 60 * 1000,
            max_sessions: 10_000,
            keep_alive_ms: 15_000,
            resume_window_ms: 10_000,
            input_window_ms: 10 * 60 * 1000,
            max_waiting_events: 1024,
            first_list_patience_ms: 5_000,
            body: BodyLimits::default(),
        }
    }
}

impl McpConfig {
    pub(crate) fn session_ttl(&self) -> Duration {
        Duration::from_millis(self.session_ttl_ms)
    }

    pub(crate) fn own_session_ttl(&self) -> Duration {
        Duration::from_millis(self.own_session_ttl_ms.min(self.session_ttl_ms))
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms.max(1))
    }

    pub(crate) fn resume_window(&self) -> Duration {
        Duration::from_millis(self.resume_window_ms)
    }

    pub(crate) fn input_window(&self) -> Duration {
        Duration::from_millis(self.input_window_ms)
    }

    pub(crate) fn first_list_patience(&self) -> Duration {
        Duration::from_millis(self.first_list_patience_ms)
    }
}
