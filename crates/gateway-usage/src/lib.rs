//! Counts what is used: by tool, server, session, caller and door, in time buckets.
//!
//! [`UsageRecorder`] hears of calls (it is a layer round them) and of searches (it is a
//! [`Feedback`](gateway_core::Feedback)), reports what it heard (it is a [`Usage`](gateway_core::Usage)), and keeps it
//! in a [`UsageStore`](gateway_core::UsageStore) where there is one.
//!
//! A call adds to one of a few shards, under a lock that is held for less than a microsecond (`benches/record.rs`
//! measures it). Full shards, and all of them before a report, are added to the ledger: minutes of the last hours
//! and hours of the last weeks, of which those that are over are kept packed. Everything that has a name from outside
//! is kept apart up to a limit; what is beyond shares `other`.

mod answer;
mod chunk;
mod config;
mod durations;
mod layer;
mod ledger;
mod live;
mod period;
mod recorder;
mod report;
mod shards;
mod tally;
mod time;

pub use config::{UsageConfig, UsageLimits};
pub use recorder::{Clock, UsageRecorder};
