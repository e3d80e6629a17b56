//! Shares what tools there are over Redis, so that a starting gateway knows them at once.
//!
//! | key | value | kept for |
//! |---|---|---|
//! | `gateway:tool_inventory` | an array of `{mcp_server, mcp_server_uuid, name, description, inputSchema, …}` | 3,600 s |
//! | `gateway:status` | `{status, connected_servers: {uuid: name}, total_tools, timestamp}` | 60 s |
//!
//! The same of a session is at `gateway:session:<id>:tool_inventory` and `gateway:session:<id>:status`. A tool keeps
//! everything that its server declared about it.

mod config;
mod declaration;
mod error;
mod inventory;
mod json;

pub use config::RedisInventoryConfig;
pub use inventory::RedisInventory;
