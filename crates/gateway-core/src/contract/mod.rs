//! The contracts: small, object-safe traits between the engine and the crates round it.
//!
//! Each trait's documentation is its specification; `gateway-testkit` has every sentence of it as a
//! behaviour that an implementation can run.

pub mod auth;
pub mod clauses;
pub mod feedback;
pub mod inventory;
pub mod invoke;
pub mod queue;
pub mod reasoning;
pub mod request;
pub mod router;
pub mod session_store;
pub mod tracer;
pub mod transport;
pub mod usage;
