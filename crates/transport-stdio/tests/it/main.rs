//! The stdio transport against real programs.

mod conformance;
mod ends;
mod handshake;
mod host;
mod limits;
mod messages;
mod support;
