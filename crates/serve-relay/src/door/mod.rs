//! The relay over HTTP.

mod bodies;
mod headers;
mod relay_door;

pub use relay_door::RelayDoor;
