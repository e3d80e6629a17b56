//! Telling others of the gateway's tools over Redis, and learning from there at the start.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, Inventory, KnownTool, Result};
use inventory_redis::{RedisInventory, RedisInventoryConfig};
use tokio::time::timeout;

use crate::config::Settings;

/// How long a starting gateway waits for what others have published: it works without.
const PATIENCE: Duration = Duration::from_secs(2);

/// The inventory of the settings; none where no Redis is named, or it is not wanted.
///
/// # Errors
/// Where Redis' address is none; the message reads after "failed to".
pub(crate) fn open(settings: &Settings) -> Result<Option<Arc<dyn Inventory>>> {
    let Some(redis) = settings.redis.as_ref().filter(|redis| redis.inventory) else { return Ok(None) };
    let inventory = RedisInventory::new(RedisInventoryConfig::new(redis.url.clone())).map_err(|error| {
        let message = format!("open the inventory: {}", error.message());
        Error::new(error.kind(), message).with_source(error)
    })?;
    Ok(Some(Arc::new(inventory)))
}

/// The tools that were last published.
pub(crate) async fn known_tools(inventory: Option<&dyn Inventory>) -> Vec<KnownTool> {
    let Some(inventory) = inventory else { return Vec::new() };
    match timeout(PATIENCE, inventory.load()).await {
        Ok(Ok(tools)) => {
            tracing::info!(tools = tools.len(), "tools known from the inventory, until their servers are reached");
            tools
        }
        Ok(Err(error)) => {
            tracing::warn!(?error, "starting without the inventory");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!("starting without the inventory: Redis does not answer");
            Vec::new()
        }
    }
}
