//! Speaks MCP to an upstream server over the HTTP+SSE transport of 2024-11-05.
//!
//! Streamable HTTP took its place in 2025-03-26, and many servers still speak nothing else.
//!
//! # The story of a connection
//!
//! [`SseTransport`] opens one stream with a GET (`client.rs`). The first event on it names the endpoint,
//! the address of all messages to the server, which must be of the same origin (`endpoint.rs`): else a
//! server could send our credentials anywhere. Then the hands are shaken.
//!
//! # The story of a call
//!
//! The request is a POST to the endpoint, and its answer comes on the stream, like everything that the
//! server says (`link.rs`). A task of its own carries the request, so that a caller who goes away leaves
//! no POST half done: the server is told of the cancellation after it has the request.
//!
//! # What goes wrong
//!
//! A POST that is refused fails its own request. The end of the stream is the end of the session: it is not
//! taken up again, the engine hears of it once and opens another connection. What a server sends is
//! bounded everywhere.

mod client;
mod config;
mod endpoint;
mod error;
mod link;
mod transport;
mod upstream;

pub use config::SseConfig;
pub use transport::SseTransport;
