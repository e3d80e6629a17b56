//! Why nothing could be tortured.

use std::io;

/// `Result` with this program's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why nothing could be tortured. What the gateways did wrong is no error but a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be run.
    #[error("{program} did not start: {source}{hint}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A program did not come up.
    #[error("{0}")]
    NotReady(String),
    /// Anything about files and sockets.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Redis refused.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The gateway's client refused.
    #[error("the gateway: {0}")]
    Client(#[from] gateway_client::Error),
}
