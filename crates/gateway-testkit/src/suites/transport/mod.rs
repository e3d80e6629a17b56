//! What every transport, and every connection it opens, must do.

mod case;
mod connecting;
mod ending;
mod link;
mod listening;
mod requests;

pub use case::{Target, TransportCase, transport};
