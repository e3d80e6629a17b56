//! The REST door as its clients meet it: over real sockets, with fake servers behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod closed_by_default;
mod contract;
mod disconnect;
mod endpoints;
mod event_stream;
mod harness;
mod later;
mod statuses;
mod stopping;
mod usage;
