//! The engine: sessions, the fleet of connections, the catalogue, and the road of a call.

mod builder;
mod catalogue;
mod change;
mod connection;
mod context;
mod dispatch;
mod find;
mod fleet;
mod gateway;
mod listing;
mod messages;
mod naming;
mod server;
mod session;
mod sessions;
mod supervisor;

pub use builder::{CommandServers, EngineConfig, GatewayBuilder, Prefix};
pub use context::{Admission, Context};
pub use gateway::Gateway;
pub use messages::*;
pub use server::{Server, ServerState};
