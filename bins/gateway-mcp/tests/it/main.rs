//! The program as an MCP client meets it, in front of gateways that are any server over Streamable HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod embedded;
mod everything;
mod flags;
mod http;
mod program;
mod sdk;
mod stdio;
