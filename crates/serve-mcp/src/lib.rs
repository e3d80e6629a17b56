//! The MCP door: every revision, over Streamable HTTP and stdio.
//!
//! A client of 2026-07-28 sends requests that stand alone (`modern`); an older one begins with `initialize`, which
//! opens a session (`legacy`). Both come together in an [`Exchange`](exchange): one request under way, whose work
//! is `methods`, and out of which come messages until the answer. `input` is the bridge between a client and a
//! server of different eras; `parking` is where calls of legacy servers wait for modern clients. What belongs to
//! no request comes from a `feed`. Failures become JSON-RPC in one place, `failure`.

mod beat;
mod client;
mod config;
mod core;
mod describe;
mod door;
mod exchange;
mod failure;
mod feed;
mod head;
mod input;
mod keeping;
mod kept;
mod legacy;
mod lists;
mod methods;
mod modern;
mod parking;
mod record;
mod relay;
mod search;
mod session;
mod sessions;
mod source;
mod spans;
mod sse;
mod stdio;
mod stream;
mod subscribe;
mod wished;

pub use config::{Binding, Expose, McpConfig};
pub use door::McpDoor;
pub use stdio::{StdioClient, serve_stdio};
