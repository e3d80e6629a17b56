//! The store against the behaviours of its contracts, on files that are ours and on files that are not.

mod conformance;
mod crash;
mod files;
mod processes;
mod refused;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway_core::StoredSession;
use session_store_sqlite::{SqliteConfig, SqliteStore};

fn open(path: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(SqliteConfig::new(path)).expect("opened"))
}

fn record(id: &str, data: impl Into<bytes::Bytes>) -> StoredSession {
    let hour = SystemTime::now() + Duration::from_secs(3600);
    let millis = hour.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let expires_at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).expect("small"));
    StoredSession { id: id.to_owned(), revision: 1, expires_at, data: data.into() }
}
