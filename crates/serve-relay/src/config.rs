//! Settings of the relay.

use std::time::Duration;

use http_server::BodyLimits;

use crate::remote::Remote;

/// How messages are carried to a gateway elsewhere.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// The gateway.
    pub remote: Remote,
    /// How long making a connection to it may take.
    pub connect_timeout: Duration,
    /// Over stdio: the longest message in either direction, in bytes.
    pub max_message_bytes: usize,
    /// Over stdio: the most requests under way; more are refused.
    pub max_requests: usize,
    /// Over stdio: how long requests under way may go on when the client has ended its input.
    pub grace: Duration,
    /// Over HTTP: what is borne of a request body. Its depth is the gateway's affair.
    pub body: BodyLimits,
}

impl RelayConfig {
    /// The defaults, for this gateway.
    pub fn new(remote: Remote) -> Self {
        Self {
            remote,
            connect_timeout: Duration::from_secs(10),
            max_message_bytes: 64 * 1024 * 1024,
            max_requests: 512,
            grace: Duration::from_secs(10),
            body: BodyLimits::default(),
        }
    }
}
