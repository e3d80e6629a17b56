//! Carries jobs and answers in this process's memory.
//!
//! Jobs, answers and what is known of requests are gone when the process ends; a gateway that must keep jobs over a restart,
//! or take them from other programs, needs a broker. Everything is bounded: a full queue refuses jobs, and of answers, dead
//! letters and answered requests the oldest are dropped.

mod bounded;
mod config;
mod jobs;
mod memory_queue;
mod state;

pub use config::MemoryQueueConfig;
pub use memory_queue::{DeadLetter, MemoryQueue};
