//! The behaviours of each contract.

mod auth;
mod queue;
mod router;
mod session_store;
mod transport;

pub use auth::{AuthCase, auth};
pub use queue::{Broker, DeadLetter, QueueCase, queue};
pub use router::router;
pub use session_store::session_store;
pub use transport::{Target, TransportCase, transport};
