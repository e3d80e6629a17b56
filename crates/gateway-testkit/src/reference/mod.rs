//! A raw, scriptable MCP server: the upstream that tests and suites talk to.
//!
//! It writes every byte of its answers by hand, with no typed model between, so that a test can
//! compare what left the server with what reached the caller. It is strict about what a client must
//! do (handshake, ids, headers), so that a transport that works here works with real servers too, and
//! it misbehaves on demand: see [`Options`] for faults of the whole server and [`TOOLS`] for tools that
//! are slow, large, odd or deadly. With [`Options::conformance`] it offers what the official conformance
//! suite asks of a server instead.
//!
//! The binary `testkit-upstream` runs it; [`ReferenceProcess`] starts that binary from a test.

mod conformance;
mod connections;
mod declarations;
mod http;
mod old_sse;
mod options;
mod peer;
mod process;
mod run;
mod server;
mod stdio;
mod subscribers;
mod tools;
mod wire;

pub use declarations::{GENERATED_TOOL_PREFIX, MALFORMED_TOOL_NAME, ODD_RESULT, TOOLS};
pub use http::serve_http;
pub use old_sse::serve_old_sse;
pub use options::{Options, ServedEra, USAGE, Wire};
pub use process::{ReferenceProcess, program};
pub use run::run;
pub use server::Server;
pub use stdio::serve_stdio;
