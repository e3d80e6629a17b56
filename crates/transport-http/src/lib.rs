//! Speaks MCP to an upstream server over Streamable HTTP.
//!
//! # The story of a connection
//!
//! [`HttpTransport`] checks the address once, then lets `mcp_wire::shake_hands` find out which era the
//! server speaks. In the legacy era `initialize` opens a session, and a GET stream is kept open for
//! what the server says of its own accord; in the modern era every request carries what it needs, and
//! `subscriptions/listen` is that stream, where the server announces changing lists.
//!
//! # The story of a call
//!
//! The request is written into one buffer, its params copied and never read. A connection is taken from
//! the pool (`pool.rs`), and the call's own task drives it: no task per connection, no channel between
//! tasks. An answer in JSON is collected and its `result` returned as a slice of it. An answer that is a
//! stream of events is followed: progress and log messages go to the call's listener in the
//! order they came, questions of the server are answered by a POST beside it, until the result comes. A
//! stream that breaks off before is taken up again where the server gives its events ids.
//!
//! # What goes wrong
//!
//! Dropping a call closes its connection, which is how the modern era cancels; a legacy server is told
//! by `notifications/cancelled` too. A server that has forgotten our session ends the connection: the
//! engine hears it once and opens another, and the call may be retried, since it was not run.
//! Redirects are reported and not followed. What a server sends is bounded everywhere.

mod answer;
mod config;
mod error;
mod link;
mod pool;
mod speech;
mod streams;
mod transport;
mod upstream;

pub use config::HttpConfig;
pub use transport::HttpTransport;
