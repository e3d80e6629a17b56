//! Child processes of which nothing stays behind.
//!
//! Every server is the leader of a process group of its own, so that the helpers that a wrapper
//! script starts can be ended with it. Three things end a group, and each works where the one before
//! it cannot: the supervisor task in the ordinary case, [`Group`]'s destructor where the runtime goes
//! away, and the guard process where the gateway itself is killed.

mod group;
mod guard;
mod spawner;

pub(crate) use group::{Exit, Group};
pub(crate) use spawner::spawn;
