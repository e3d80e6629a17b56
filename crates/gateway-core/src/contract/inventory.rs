//! What tools there are, told to others.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{RawJson, Result, ServerSpec, ServerState, ToolEntry};

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

/// What one session shows at one moment. Cheap to make for thousands of sessions: what they share is shared here, too.
#[derive(Clone, Debug)]
pub struct InventorySnapshot {
    /// Which; `None` for the default session.
    pub session_id: Option<String>,
    /// Whether every enabled server is in order.
    pub healthy: bool,
    /// Its servers, and where each is in its life.
    pub servers: Vec<(Arc<ServerSpec>, ServerState)>,
    /// Its tools.
    pub tools: Arc<[ToolEntry]>,
    /// In one process, equal numbers mean equal tools: a list that is out already need not be written again.
    pub tools_hash: u64,
}

/// A tool of a server that need not be connected yet.
#[derive(Clone, Debug)]
pub struct KnownTool {
    /// Its server's identity.
    pub server_uuid: Uuid,
    /// The tool as its server declared it, an object.
    pub declaration: RawJson,
}
