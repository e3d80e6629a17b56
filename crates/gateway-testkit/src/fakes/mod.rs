//! Parts that only pretend, for tests of what stands round them.

mod auth;
mod events;
mod gateway;
mod network;
mod router;
mod server;
mod store;
mod tracer;
mod transport;
mod usage_store;

pub use auth::FakeAuth;
pub use events::RecordedEvents;
pub use gateway::{builder, context, gateway, gateway_with, spec};
pub use network::FakeNetwork;
pub use router::FakeRouter;
pub use server::{Answer, FakeServer};
pub use store::FakeStore;
pub use tracer::{FakeTracer, RecordedSpan};
pub use transport::FakeTransport;
pub use usage_store::FakeUsageStore;
