//! The HTTP server that doors share: connections, limits, the guard, stopping in order.
//!
//! An [`HttpServer`] has one or more doors ([`HttpDoor`]), each of which answers the requests for its paths.
//! [`serve`] runs it on a listener and stops it so that no request is lost. Every request passes the guard first
//! (host name, web page, sizes, credentials), which makes the [`Caller`]; what it refuses, the door of that path
//! writes in its own words.

mod body;
mod caller;
mod config;
mod connection;
mod cors;
mod door;
mod guard;
mod head;
mod names;
mod passage;
mod refusal;
mod serve;
mod server;
mod write_deadline;

pub use body::{BodyLimits, check_json_type, read_body};
pub use caller::{Caller, Page, is_session_id};
pub use config::HttpServerConfig;
pub use door::{Answer, HttpDoor};
pub use passage::Passage;
pub use refusal::{CLIENT_CLOSED_REQUEST, Refusal, status_of};
pub use serve::serve;
pub use server::HttpServer;
