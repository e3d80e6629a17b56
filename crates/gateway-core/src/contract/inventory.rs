//! What tools there are, told to others.

use std::fmt::Debug;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{RawJson, Result, ServerStatus, ToolEntry};

/// Tells programs outside which tools and servers there are, and tells a starting gateway which there were.
#[async_trait]
pub trait Inventory: Debug + Send + Sync + 'static {
    /// Publishes what one session shows, for as long as the implementation keeps it; call it again before that is over.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the place cannot be reached.
    async fn publish(&self, snapshot: &InventorySnapshot) -> Result<()>;

    /// Takes back what was published of a session that has ended.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the place cannot be reached.
    async fn withdraw(&self, session_id: &str) -> Result<()>;

    /// The tools that were last published for the default session, by any gateway; empty where there are none.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the place cannot be reached.
    async fn load(&self) -> Result<Vec<KnownTool>>;
}

/// What one session shows at one moment.
#[derive(Clone, Debug)]
pub struct InventorySnapshot {
    /// Which; `None` for the default session.
    pub session_id: Option<String>,
    /// Whether every enabled server is in order.
    pub healthy: bool,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
    /// Its tools.
    pub tools: Vec<ToolEntry>,
}

/// A tool of a server that need not be connected yet.
#[derive(Clone, Debug)]
pub struct KnownTool {
    /// Its server's identity.
    pub server_uuid: Uuid,
    /// The tool as its server declared it, an object.
    pub declaration: RawJson,
}
