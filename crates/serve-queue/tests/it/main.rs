//! The door over a queue in memory and fake servers.

mod answers;
mod deaths;
mod harness;
mod outages;
mod pauses;
mod refusals;
mod stopping;
mod traces;
