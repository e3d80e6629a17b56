//! The store against the behaviours of its contract, with right keys and with wrong ones.

mod conformance;
mod key_file;
mod keys;
mod on_disk;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway_core::{SessionStore, StoredSession};
use session_store_memory::MemoryStore;
use session_store_sealed::SealingKeys;

const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const B: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn keys(current: &str, previous: &[&str]) -> SealingKeys {
    let previous: Vec<_> = previous.iter().map(|key| gateway_core::Secret::new(*key)).collect();
    SealingKeys::parse(&gateway_core::Secret::new(current), &previous).expect("keys")
}

fn inner() -> Arc<dyn SessionStore> {
    Arc::new(MemoryStore::new())
}

fn record(id: &str, data: &str) -> StoredSession {
    let expires_at = SystemTime::now() + Duration::from_secs(3600);
    StoredSession { id: id.to_owned(), revision: 1, expires_at, data: data.to_owned().into() }
}
