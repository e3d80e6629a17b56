//! MCP servers that we did not write, to test against: two from npm, two from PyPI, at pinned versions; and the
//! official conformance suite.
//!
//! They live in `target/peers`, which tests find through the environment variable `MCP_PEERS`:
//!
//! - `bin/mcp-server-everything`, `bin/mcp-server-filesystem`, `bin/mcp-server-time`, `bin/mcp-server-git`
//!   are the servers as programs, `bin/mcp-conformance` is the suite, and `bin/node` and `bin/python` are the
//!   interpreters that run them;
//! - what they are pinned to stands in `xtask/peers`.

mod apt;
mod node;
mod python;
mod setup;

pub use node::requirements;
pub use setup::{Peers, set_up};
