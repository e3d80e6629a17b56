//! A circuit breaker for every server.

mod layer;
mod state;

pub use layer::BreakerLayer;
pub use state::BreakerConfig;
