//! The REST door: HTTP requests to engine calls and back, nothing else.
//!
//! [`RestDoor`] is the door of a [`Gateway`](gateway_core::Gateway); an [`HttpServer`](http_server::HttpServer)
//! opens it to the network. `docs/rest-api.md` has the wire. Every request has passed the server's guard (host name,
//! web page, sizes, credentials) when its handler admits the caller, asks the engine and writes the answer.
//! Failures of all of them are written in one place, `problem`.

mod answer;
mod body;
mod chunks;
mod config;
mod door;
mod events;
mod execute;
mod health;
mod openapi;
mod problem;
mod requests;
mod search;
mod servers;
mod sessions;
mod spans;
mod time;
mod tools;
mod usage;
mod wire;

pub use config::{Lookup, RestConfig};
pub use door::{Metrics, RestDoor};
