//! The inventory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Inventory, InventorySnapshot, KnownTool, Result};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, pipe};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::config::RedisInventoryConfig;
use crate::error::{bad_url, from_redis};
use crate::{declaration, json};

/// Most entries that are named in the log when a list has some that are no tools.
const MAX_NAMED: usize = 3;

/// An inventory in Redis. It connects when it is first used, and again after every loss.
pub struct RedisInventory {
    client: Client,
    connection: OnceCell<ConnectionManager>,
    prefix: String,
    tools_ttl: Duration,
    status_ttl: Duration,
    manager: ConnectionManagerConfig,
    max_bytes: usize,
    /// The list that each session has there, so that equal ones are not written again.
    written: Mutex<HashMap<Option<String>, Written>>,
}

#[derive(Clone, Copy)]
struct Written {
    tools_hash: u64,
    at: Instant,
}

impl fmt::Debug for RedisInventory {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisInventory").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisInventory {
    /// An inventory with these settings. Connects to nothing.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where the URL is none of Redis, or a time is shorter than a
    /// second.
    pub fn new(config: RedisInventoryConfig) -> Result<Self> {
        let RedisInventoryConfig { url, prefix, tools_ttl, status_ttl, connect_timeout, response_timeout, max_bytes } =
            config;
        for (name, ttl) in [("tools_ttl", tools_ttl), ("status_ttl", status_ttl)] {
            if ttl < Duration::from_secs(1) {
                let message = format!("`{name}` is {ttl:?} but must be one second at least");
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
        }
        let client = Client::open(url.expose()).map_err(|error| bad_url(&error))?;
        // Who publishes comes again by itself.
        let manager = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(Some(response_timeout));
        let (connection, written) = (OnceCell::new(), Mutex::default());
        Ok(Self { client, connection, prefix, tools_ttl, status_ttl, manager, max_bytes, written })
    }

    async fn connection(&self) -> redis::RedisResult<ConnectionManager> {
        let open = || async { ConnectionManager::new_lazy_with_config(self.client.clone(), self.manager.clone()) };
        self.connection.get_or_try_init(open).await.cloned()
    }

    /// The keys of a session: of its tools, and of its status.
    fn keys(&self, session_id: Option<&str>) -> (String, String) {
        let session = session_id.map_or_else(String::new, |id| format!("session:{id}:"));
        (format!("{}{session}tool_inventory", self.prefix), format!("{}{session}status", self.prefix))
    }

    /// Publishes a session whose list of tools is there already. `false` where it is not.
    async fn renew(&self, snapshot: &InventorySnapshot) -> redis::RedisResult<bool> {
        let (tools, status) = self.keys(snapshot.session_id.as_deref());
        let mut connection = self.connection().await?;
        let (is_there,): (bool,) = pipe()
            .atomic()
            .expire(tools, seconds(self.tools_ttl))
            .set_ex(status, json::status(snapshot), self.status_ttl.as_secs())
            .ignore()
            .query_async(&mut connection)
            .await?;
        Ok(is_there)
    }

    async fn write(&self, snapshot: &InventorySnapshot, list: Vec<u8>) -> redis::RedisResult<()> {
        let (tools, status) = self.keys(snapshot.session_id.as_deref());
        let mut connection = self.connection().await?;
        pipe()
            .atomic()
            .set_ex(tools, list, self.tools_ttl.as_secs())
            .ignore()
            .set_ex(status, json::status(snapshot), self.status_ttl.as_secs())
            .ignore()
            .exec_async(&mut connection)
            .await
    }

    /// Whether a session's list is surely there, unless somebody has taken it away. Written anew from time to time,
    /// since another gateway may have put another list there.
    fn is_written(&self, snapshot: &InventorySnapshot) -> bool {
        let written = self.lock().get(&snapshot.session_id).copied();
        written.is_some_and(|written| {
            written.tools_hash == snapshot.tools_hash && written.at.elapsed() < self.tools_ttl / 2
        })
    }

    fn note_written(&self, snapshot: &InventorySnapshot) {
        let mut written = self.lock();
        // What is over in Redis is over here.
        written.retain(|_, written| written.at.elapsed() < self.tools_ttl);
        let new = Written { tools_hash: snapshot.tools_hash, at: Instant::now() };
        written.insert(snapshot.session_id.clone(), new);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<String>, Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of the default session's list, but for one more than may be read.
    async fn load_bytes(&self) -> redis::RedisResult<Vec<u8>> {
        let (tools, _) = self.keys(None);
        let mut connection = self.connection().await?;
        let last = isize::try_from(self.max_bytes).unwrap_or(isize::MAX);
        redis::cmd("GETRANGE").arg(tools).arg(0).arg(last).query_async(&mut connection).await
    }
}

#[async_trait]
impl Inventory for RedisInventory {
    async fn publish(&self, snapshot: &InventorySnapshot) -> Result<()> {
        let failed = |error| from_redis("publish the inventory of tools", error);
        if self.is_written(snapshot) && self.renew(snapshot).await.map_err(failed)? {
            return Ok(());
        }
        let mut list = json::tools(&snapshot.tools);
        if list.len() > self.max_bytes {
            let (session, bytes, most) = (&snapshot.session_id, list.len(), self.max_bytes);
            tracing::warn!(?session, bytes, most, "the tools are too many for the inventory, which stays empty");
            list = b"[]".to_vec();
        }
        self.write(snapshot, list).await.map_err(failed)?;
        self.note_written(snapshot);
        Ok(())
    }

    async fn withdraw(&self, session_id: &str) -> Result<()> {
        let (tools, status) = self.keys(Some(session_id));
        let failed = |error| from_redis("withdraw a session's inventory", error);
        self.lock().remove(&Some(session_id.to_owned()));
        let mut connection = self.connection().await.map_err(failed)?;
        pipe().atomic().del(tools).ignore().del(status).ignore().exec_async(&mut connection).await.map_err(failed)
    }

    async fn load(&self) -> Result<Vec<KnownTool>> {
        match self.load_bytes().await {
            Ok(list) if list.len() > self.max_bytes => {
                let most = self.max_bytes;
                tracing::warn!(most, "the inventory in Redis is larger than may be read; it is left alone");
                Ok(Vec::new())
            }
            Ok(list) => Ok(read_list(&list)),
            Err(error) if is_of_another_kind(&error) => {
                tracing::warn!(%error, "the inventory in Redis is no text; it is left alone");
                Ok(Vec::new())
            }
            Err(error) => Err(from_redis("read the inventory of tools", error)),
        }
    }
}

/// The tools of a list; without the entries that are none.
fn read_list(list: &[u8]) -> Vec<KnownTool> {
    if list.is_empty() {
        return Vec::new();
    }
    let entries: Vec<&RawValue> = match serde_json::from_slice(list) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(%error, "the inventory in Redis is no list of tools; it is left alone");
            return Vec::new();
        }
    };
    let mut tools = Vec::with_capacity(entries.len());
    let mut wrong = Vec::new();
    let mut skipped = 0_usize;
    for (place, entry) in entries.into_iter().enumerate() {
        match declaration::read(entry) {
            Ok(tool) => tools.push(tool),
            Err(why) => {
                skipped += 1;
                if wrong.len() < MAX_NAMED {
                    wrong.push(format!("entry {place}: {why}"));
                }
            }
        }
    }
    if skipped > 0 {
        let first = wrong.join("; ");
        tracing::warn!(skipped, first, "the inventory in Redis has entries that are no tools; they are left out");
    }
    tools
}

/// Whether the key holds something else than a text.
fn is_of_another_kind(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)
}
