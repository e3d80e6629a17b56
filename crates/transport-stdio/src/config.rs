//! Settings of the transport.

use std::time::Duration;

/// How [`StdioTransport`](crate::StdioTransport) treats the servers it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdioConfig {
    /// How long a server may leave `server/discover` unanswered before `initialize` is sent too.
    /// Interpreters take 3 to 4 seconds to start on a loaded machine.
    pub probe_timeout: Duration,
    /// How long a server has to end after its standard input was closed; then it gets SIGTERM.
    pub stdin_grace: Duration,
    /// How long it has to end after SIGTERM; then its whole group gets SIGKILL.
    pub term_grace: Duration,
    /// How much may wait to be written to a server that does not read its standard input, in bytes.
    /// One message may always wait, however large.
    pub max_outbox_bytes: usize,
}

impl Default for StdioConfig {
    fn default() -> Self {
        Self {
            probe_timeout: Duration::from_secs(5),
            stdin_grace: Duration::from_secs(2),
            term_grace: Duration::from_secs(2),
            max_outbox_bytes: 16 * 1024 * 1024,
        }
    }
}
