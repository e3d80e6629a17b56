//! The REST door: HTTP requests to engine calls and back, nothing else.
//!
//! [`RestDoor`] is the door of a [`Gateway`](gateway_core::Gateway), [`serve`] runs it on a listener and stops it
//! in order. `docs/rest-api.md` has the wire. Every request passes the guard first (host name, web page,
//! sizes, credentials), then its handler, which admits the caller, asks the engine and writes the answer.
//! Failures of all of them are written in one place, `problem`.

mod answer;
mod body;
mod caller;
mod config;
mod door;
mod events;
mod execute;
mod guard;
mod head;
mod health;
mod json_text;
mod names;
mod nesting;
mod object;
mod openapi;
mod problem;
mod search;
mod serve;
mod servers;
mod sessions;
mod time;
mod tool_result;
mod tools;
mod wire;
mod write_deadline;

pub use caller::Connection;
pub use config::{Lookup, RestConfig};
pub use door::{Metrics, RestDoor};
pub use serve::serve;
