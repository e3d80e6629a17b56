//! The queue door: jobs from a message queue to engine calls and back.
//!
//! [`QueueDoor`] claims jobs from a [`Queue`](gateway_core::Queue), runs them on a [`Gateway`](gateway_core::Gateway), and settles
//! them with their answers. `docs/queue.md` has the wire. What makes it honest:
//!
//! * Every claim is renewed while it is held (`held`); work whose claim is lost is dropped, and not answered.
//! * A call whose first gateway has died is run again only where that does no harm (`work`); else its answer says that
//!   nobody knows whether it ran.
//! * What is no job is a dead letter with a reason (`envelope`), and its requester is told wherever one can be made out.
//! * A queue that is away is waited for (`patience`); an answer is kept until it is taken.

mod config;
mod door;
mod envelope;
mod held;
mod patience;
mod response;
mod spans;
mod stats;
mod waiting;
mod work;

pub use config::QueueDoorConfig;
pub use door::QueueDoor;
pub use stats::QueueDoorStats;
