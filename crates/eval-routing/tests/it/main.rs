//! The measuring, from outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod data;
mod sample;
