//! What the tests of the examples share: a gateway, programs to talk to, APIs that are played.
//!
//! All of it is for tests, and panics where a test cannot go on.

mod api;
mod gateway;
mod models;
mod program;
mod stdio_server;

pub use api::{Answer, Api, Request};
pub use gateway::Gateway;
pub use models::{Said, anthropic, open_ai};
pub use program::{Program, Run, Started, peer, program};
pub use stdio_server::StdioServer;
