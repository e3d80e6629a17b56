//! The engine: sessions, the fleet of connections, the catalogue, and the road of a call.

mod builder;
mod context;
mod gateway;
mod messages;
mod server;

pub use builder::{CommandServers, EngineConfig, GatewayBuilder, Prefix};
pub use context::{Admission, Context};
pub use gateway::Gateway;
pub use messages::*;
pub use server::{Server, ServerState};
