//! Learns from use: which tools were run after which searches moves the ranking a little.
//!
//! [`LearnedRouter`] stands round another router, and [`Memory`] hears of each use
//! ([`Feedback`](gateway_core::Feedback)). What is learned are **corrections**: where a tool was run although another
//! one stood above it, as much as it lacked is added to its score when a similar query comes. A tool that stood first
//! anyway needs nothing, and that is remembered as well. So a ranking that is right stays as it is, and what was
//! learned wrongly is unlearned as soon as somebody passes it over.
//!
//! Nothing but what the other router has found is ever raised, and none by more than one unit of log-odds: from 0.5
//! to 0.73.
//!
//! | room | what it does |
//! |---|---|
//! | `terms` | a query → hashes of its words, under a key of this deployment |
//! | `spread` | how many of the remembered queries have each term |
//! | `tool` | what is remembered of one tool, and what it says about a new query |
//! | `lift` | what all candidates' memories together add to each |
//! | `memory` | the tools under their locks, and who may displace whom |
//! | `file` | the memory as a file |
//! | `router` | asks the other router and adds what was learned |

mod config;
mod file;
mod lift;
mod memory;
mod router;
mod spread;
mod terms;
mod tool;

pub use config::MemoryConfig;
pub use memory::Memory;
pub use router::LearnedRouter;
