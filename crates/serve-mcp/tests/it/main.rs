//! The MCP door as its clients meet it: both eras, over HTTP and stdio, with real servers behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod batches;
mod bridge;
mod client;
mod client_http;
mod client_stdio;
mod doors;
mod expose;
mod flood;
mod hostile;
mod pages;
mod parked;
mod pipe;
mod pipes;
mod raw;
mod refusals;
mod replicas;
mod rig;
mod sessions;
mod sse;
mod streams;
mod told;
mod wire;
