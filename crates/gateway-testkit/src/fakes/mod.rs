//! Parts that only pretend, for tests of what stands round them.

mod gateway;
mod server;
mod transport;

pub use gateway::{builder, context, gateway, gateway_with, spec};
pub use server::{Answer, FakeServer};
pub use transport::FakeTransport;
