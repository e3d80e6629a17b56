//! The queue against real Redis: the one on 127.0.0.1:6379 under names of each test's own, and private ones that may be hurt.

mod conformance;
mod duplicates;
mod failures;
mod load;
mod restarts;
mod server;
mod stage;
mod steps;
mod tls;
