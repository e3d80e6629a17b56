//! The layers round calls of a whole gateway with fake servers.

mod breaker;
mod concurrency;
mod deadline;
mod metrics;
mod retry;
mod stack;
mod support;
