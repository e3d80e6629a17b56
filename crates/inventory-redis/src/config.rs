//! What can be set about the inventory.

use std::time::Duration;

use gateway_core::Secret;

/// The settings of a [`RedisInventory`](crate::RedisInventory).
#[derive(Clone, Debug)]
pub struct RedisInventoryConfig {
    /// `redis://[user][:password]@host[:port][/db]`, `rediss://` with TLS.
    pub url: Secret,
    /// What every key begins with. Programs outside look for `gateway:`.
    pub prefix: String,
    /// How long a list of tools is kept without being published again.
    pub tools_ttl: Duration,
    /// How long a status is kept without being published again.
    pub status_ttl: Duration,
    /// For opening a connection.
    pub connect_timeout: Duration,
    /// For one answer of Redis.
    pub response_timeout: Duration,
    /// Largest list of tools that is written or read, in bytes.
    pub max_bytes: usize,
}

impl RedisInventoryConfig {
    /// The Redis at `url` with the usual settings.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            prefix: "gateway:".to_owned(),
            tools_ttl: Duration::from_secs(3_600),
            status_ttl: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(3),
            response_timeout: Duration::from_secs(10),
            max_bytes: 64 * 1024 * 1024,
        }
    }
}
