//! What every queue must do.

mod beginning;
mod case;
mod claiming;
mod settling;
mod telling;

pub use case::{Broker, DeadLetter, QueueCase, queue};
