//! The store against the behaviours of its contracts, in a real Redis.

mod conformance;
mod keys;
mod network;
mod restart;

use std::time::{Duration, Instant, SystemTime};

use gateway_core::{ErrorKind, RecordChange, Secret, SessionStore, StoredSession};
use session_store_redis::{RedisStore, RedisStoreConfig};
use tokio::sync::broadcast::Receiver;

const SERVER: &str = "127.0.0.1:6379";

/// A prefix of one test's own, whose keys go with it.
#[derive(Debug)]
struct Prefix(String);

impl Prefix {
    fn new() -> Self {
        Self(format!("test:{}:", uuid::Uuid::new_v4().simple()))
    }

    fn config(&self) -> RedisStoreConfig {
        self.config_through(SERVER)
    }

    fn config_through(&self, address: &str) -> RedisStoreConfig {
        let url = Secret::new(format!("redis://{address}/"));
        RedisStoreConfig { prefix: self.0.clone(), ..RedisStoreConfig::new(url) }
    }

    fn open(&self) -> RedisStore {
        RedisStore::new(self.config()).expect("a configuration")
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        let pattern = format!("{}*", self.0);
        let clean = move || {
            let client = redis::Client::open(format!("redis://{SERVER}/")).expect("a URL");
            let mut connection = client.get_connection().expect("Redis on 127.0.0.1:6379");
            let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).expect("asked");
            for key in keys {
                redis::cmd("DEL").arg(key).exec(&mut connection).expect("deleted");
            }
        };
        std::thread::spawn(clean).join().expect("cleaned up");
    }
}

/// A connection of the test's own.
async fn admin() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{SERVER}/")).expect("a URL");
    client.get_multiplexed_async_connection().await.expect("Redis on 127.0.0.1:6379")
}

fn record(id: &str, data: &str) -> StoredSession {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let expires_at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now).expect("small") + 3_600_000);
    StoredSession { id: id.to_owned(), revision: 1, expires_at, data: data.to_owned().into() }
}

/// Waits until the store says that anything may be another.
async fn any(changes: &mut Receiver<RecordChange>) {
    let wait = async { while changes.recv().await.expect("the store is there") != RecordChange::Any {} };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("told that anything may be another");
}

/// Tries until it works.
async fn works_again(store: &RedisStore) {
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = store.list("").await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(Instant::now() < until, "it does not go on by itself: {error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
