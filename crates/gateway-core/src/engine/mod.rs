//! The engine: sessions, the fleet of connections, the catalogue, and the road of a call.

mod builder;
mod catalogue;
mod change;
mod connection;
mod context;
mod directory;
mod dispatch;
mod find;
mod fleet;
mod gateway;
mod interned;
mod inventory;
mod listing;
mod messages;
mod names;
mod naming;
mod offers;
mod recent;
mod seeds;
mod server;
mod session;
mod session_events;
mod sessions;
mod spans;
mod subscription;
mod supervisor;
mod uri_template;

pub use builder::{CommandServers, EngineConfig, GatewayBuilder, Prefix};
pub use context::{Admission, Context};
pub use gateway::Gateway;
pub use inventory::publish_inventory;
pub use messages::*;
pub use offers::{ListMarks, Offered, Reply};
pub use server::{Server, ServerState};
pub use session_events::{SessionEvent, SessionEvents};
pub use subscription::ResourceSubscription;
