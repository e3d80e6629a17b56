//! The relay between clients and gateways that are real, or misbehave as the test wants it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod door;
mod ends;
mod faults;
mod messages;
mod peer;
mod sessions;
