//! The connection that a request came on.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

/// What a connection tells about its requests. Both tokens are its own, so that requests of different
/// connections do not meet at one lock.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end.
    pub local: Option<SocketAddr>,
    /// Cancelled when the gateway begins to stop: the answer asks the client to close the connection.
    pub draining: CancellationToken,
    /// Cancelled when a request under way has had its time to end.
    pub killed: CancellationToken,
}
