//! The server with two doors that do next to nothing, over real sockets. What the guard refuses is tested through
//! the REST door, where it matters.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod doors;
mod harness;
mod stopping;
