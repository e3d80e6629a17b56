//! Carries jobs and answers over Redis.
//!
//! [`RedisQueue`] is [`gateway_core::Queue`] on lists that any client of Redis can use: a producer does `LPUSH mcp_requests` and
//! reads its answer from `mcp_responses`, or from a list that it names; [`RedisQueueNames`] says all names there are. Needs Redis
//! 6.2 (or Valkey) and one server (or one with replicas behind one address): a *cluster* is not supported, since a job is
//! moved between lists, records and leases by scripts that touch all of them, which a cluster would keep in several slots.
//!
//! * **Each step is one script** (`lua/`): it happens wholly or not at all, whoever dies in the middle. Leases are measured by the
//!   clock of Redis; clocks of gateways do not matter.
//! * **Nobody waits for a job by taking it.** `BLMOVE list list RIGHT RIGHT` on a connection of its own moves the last job onto itself:
//!   it returns when there is one, and changes nothing. Whoever wakes up claims by the script.
//! * **What Redis keeps is as safe as it is told to be**: `appendonly yes` (with `appendfsync always` where the machine, and not just the
//!   process, may die), and `maxmemory-policy noeviction`. A replica that takes over may lack the last moments.
//! * **Nobody hangs**: connecting and answers have time limits, and a connection that has shown an error is replaced by the
//!   next call. After a restart of Redis no lease is taken over for the length of one, since nobody could renew it meanwhile.

mod bell;
mod config;
mod dead_letter;
mod error;
mod greeting;
mod link;
mod queue;
mod replies;
mod scripts;

pub use config::{RedisQueueConfig, RedisQueueNames};
pub use queue::RedisQueue;
