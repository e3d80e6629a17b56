//! The behaviours of each contract.

mod auth;
mod queue;
mod router;
mod session_store;
mod session_store_changes;
mod transport;
mod usage_store;

pub use auth::{AuthCase, auth};
pub use queue::{Broker, DeadLetter, QueueCase, queue};
pub use router::router;
pub use session_store::session_store;
pub use session_store_changes::session_store_changes;
pub use transport::{Target, TransportCase, transport};
pub use usage_store::usage_store;
