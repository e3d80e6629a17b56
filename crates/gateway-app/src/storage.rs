//! From settings to stores: where sessions, servers added at run time, and usage are kept.

use std::path::Path;
use std::sync::Arc;

use gateway_core::{Error, ErrorKind, Result, SessionStore, UsageStore};
use session_store_memory::MemoryStore;
use session_store_postgres::{PostgresConfig, PostgresStore};
use session_store_redis::{RedisStore, RedisStoreConfig};
use session_store_sealed::{SealedStore, SealingKeys};
use session_store_sqlite::{SqliteConfig, SqliteStore};

use crate::config::{Settings, StoragePlace, StorageSettings};

/// The database in the data directory.
const DATABASE: &str = "gateway.db";

/// The key beside it, where nobody named another one.
const KEY_FILE: &str = "secret.key";

/// Where things are kept.
pub(crate) struct Stores {
    /// Sessions, the servers that were added to the default one, and what doors want to find again.
    pub(crate) sessions: Arc<dyn SessionStore>,
    /// Usage; `None` where it lives no longer than the process.
    pub(crate) usage: Option<Arc<dyn UsageStore>>,
}

impl Stores {
    /// Opens them as the settings say.
    ///
    /// # Errors
    /// Where one cannot be reached or read, or its key is another one; the message reads after "failed to".
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        Self::open_place(settings).await.map_err(|error| {
            let message = format!("open the store of sessions: {}", error.message());
            Error::new(error.kind(), message).with_source(error)
        })
    }

    async fn open_place(settings: &Settings) -> Result<Self> {
        let storage = &settings.storage;
        match &storage.place {
            StoragePlace::Memory => Ok(Self { sessions: Arc::new(MemoryStore::new()), usage: None }),
            StoragePlace::Sqlite(directory) => {
                let store = open_database(directory).await?;
                tracing::info!("sessions and usage are kept in {}", store.path().display());
                let keys = match keys(storage)? {
                    Some(keys) => keys,
                    None => SealingKeys::load_or_create(&directory.join(KEY_FILE))?,
                };
                Self::sealed(store, Some(keys)).await
            }
            StoragePlace::Postgres { url, schema } => {
                let config = PostgresConfig { schema: schema.clone(), ..PostgresConfig::new(url.clone()) };
                let store = Arc::new(PostgresStore::connect(config).await?);
                tracing::info!(schema, "sessions and usage are kept in PostgreSQL");
                Self::sealed(store, keys(storage)?).await
            }
            StoragePlace::Redis => {
                let redis = settings.redis.as_ref();
                let redis = redis.ok_or_else(|| Error::new(ErrorKind::Internal, "no Redis is named"))?;
                let store = Arc::new(RedisStore::new(RedisStoreConfig::new(redis.url.clone()))?);
                tracing::info!("sessions and usage are kept in Redis");
                Self::sealed(store, keys(storage)?).await
            }
        }
    }

    /// A store that others may look into, behind its encryption.
    async fn sealed<S: SessionStore + UsageStore>(store: Arc<S>, keys: Option<SealingKeys>) -> Result<Self> {
        let usage: Arc<dyn UsageStore> = Arc::<S>::clone(&store);
        let sessions: Arc<dyn SessionStore> = match keys {
            Some(keys) => Arc::new(SealedStore::open(store, keys).await?),
            None => {
                tracing::warn!(
                    "without storage.encryption_key (GATEWAY_ENCRYPTION_KEY) no server's `env` and `headers` are kept; \
                     make a key with `openssl rand -hex 32`"
                );
                store
            }
        };
        Ok(Self { sessions, usage: Some(usage) })
    }
}

async fn open_database(directory: &Path) -> Result<Arc<SqliteStore>> {
    let config = SqliteConfig::new(directory.join(DATABASE));
    let opened = tokio::task::spawn_blocking(move || SqliteStore::open(config)).await;
    let opened = opened.unwrap_or_else(|panic| Err(Error::new(ErrorKind::Internal, "it broke off").with_source(panic)));
    Ok(Arc::new(opened?))
}

fn keys(storage: &StorageSettings) -> Result<Option<SealingKeys>> {
    let current = storage.encryption_key.as_ref();
    current.map(|current| SealingKeys::parse(current, &storage.previous_encryption_keys)).transpose()
}
