//! Carries MCP between a client here and a gateway elsewhere, message by message.
//!
//! [`stdio`] stands between a client's lines and the gateway's Streamable HTTP door; [`RelayDoor`] is a door that
//! passes requests on. Messages are carried, not interpreted: every revision of MCP passes as it is, unknown
//! methods and members included. What is read of a message is what its way needs: whether it wants an answer and
//! under which id, its revision, and the session that `initialize` opened.
//!
//! Over HTTP the client keeps up its own session and takes up its own streams. Over stdio it knows neither, so
//! the relay does that for it: it puts in the headers, takes up streams that broke off, opens a lost session anew,
//! and answers with an error what could not be delivered.

mod client;
mod config;
mod door;
mod failure;
mod remote;
mod stdio;

pub use config::RelayConfig;
pub use door::RelayDoor;
pub use remote::Remote;
pub use stdio::stdio;
