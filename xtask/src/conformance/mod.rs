//! `cargo xtask conformance`: the official conformance suite against the gateway, in both roles.
//!
//! - **server**: the suite is a client of the gateway's MCP door; behind the gateway is `testkit-upstream
//!   --conformance`, over HTTP and over stdio;
//! - **client**: the suite is a server; it starts `conformance-client` for each scenario, which puts a gateway
//!   in front of it, so that it sees how the gateway speaks to its upstreams.
//!
//! What a revision requires stands in the suite's own requirement sets; what is known to fail, each with its
//! reason, in `xtask/conformance/expected-failures.yml`. A failure that is not listed fails, and so does an
//! entry that passes.

mod expected;
mod options;
mod requirements;
mod results;
mod run;
mod suite;
mod verdict;

pub use options::Options;
pub use run::{in_test, run};
pub use verdict::Outcome;
