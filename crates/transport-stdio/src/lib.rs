//! Runs an upstream server as a child process and speaks MCP over its stdin and stdout.
//!
//! [`StdioTransport`] starts a server's command without a shell as the leader of a process group of
//! its own, shakes hands and returns the connection. Messages are lines of JSON whose parameters and
//! results are never parsed.
//!
//! However a connection ends, the whole group of processes ends with it: closed in order, dropped at
//! any moment, or the gateway killed. Only a helper that leaves the group on purpose (`setsid`) stays.

mod command;
mod config;
mod connection;
mod error;
mod lines;
mod outbox;
mod process;
mod reader;
mod stderr;
mod supervisor;
mod transport;
mod upstream;

pub use config::StdioConfig;
pub use transport::StdioTransport;
