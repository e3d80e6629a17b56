//! The dashboard over real connections, on a gateway of fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fakes;
mod harness;

mod access;
mod live;
mod panels;
mod running;
mod scale;
