//! MCP servers and clients that we did not write, to test against, at pinned versions, two of each from npm and
//! from PyPI; and the official conformance suite; and a browser.
//!
//! They live in `target/peers`, which tests find through the environment variable `MCP_PEERS`:
//!
//! - `bin/mcp-server-everything`, `bin/mcp-server-filesystem`, `bin/mcp-server-time`, `bin/mcp-server-git`
//!   are the servers as programs, `bin/mcp-inspector` is a client, `bin/mcp-conformance` is the suite;
//! - `bin/node` and `bin/python` are the interpreters that run them. Clients that are libraries are theirs:
//!   `@modelcontextprotocol/client` in `npm/node_modules`, `mcp` and `fastmcp` in the Python environment;
//! - `bin/chromium` is the system's browser, and `playwright-core` in `npm/node_modules` drives it;
//! - what they are pinned to stands in `xtask/peers`.

mod apt;
mod browser;
mod node;
mod python;
mod setup;

pub use apt::install as install_packages;
pub use node::requirements;
pub use setup::{Peers, set_up};
