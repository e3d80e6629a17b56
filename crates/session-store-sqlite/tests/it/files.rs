//! What is on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use gateway_core::{ErrorKind, SessionStore, UsageChunk, UsageStore};
use session_store_sqlite::{SqliteConfig, SqliteStore};

use crate::{open, record};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_and_its_folder_are_for_this_user_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data/deeper/gateway.db");
    let store = open(&path);
    store.create(record("sess_1", "x")).await.expect("created");
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    assert_eq!(mode(&folder.path().join("data/deeper")), 0o700);
    for name in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn records_and_usage_outlive_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let chunk = UsageChunk { source: "one".to_owned(), begins_at: SystemTime::UNIX_EPOCH, data: "counts".into() };
    let store = open(&path);
    store.create(record("sess_1", "x")).await.expect("created");
    store.keep(chunk.clone()).await.expect("kept");
    drop(store);
    let store = open(&path);
    assert_eq!(SessionStore::load(&*store, "sess_1").await.expect("loaded").expect("there").data, "x");
    let until = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    assert_eq!(UsageStore::load(&*store, SystemTime::UNIX_EPOCH, until).await.expect("loaded"), [chunk]);
}

#[tokio::test]
async fn a_full_database_says_so_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let config = SqliteConfig { max_bytes: Some(256 * 1024), ..SqliteConfig::new(&path) };
    let store = SqliteStore::open(config).expect("opened");
    let mut kept = 0;
    let error = loop {
        match store.create(record(&format!("sess_{kept}"), vec![b'x'; 16 * 1024])).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "it never fills up");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains("full"), "{error}");
    assert_eq!(store.list("sess_").await.expect("listed").len(), kept, "what was kept before is there");
    assert!(store.delete("sess_0").await.expect("deleted from a full database"));
    store.create(record("sess_again", vec![b'x'; 8 * 1024])).await.expect("created");
}

#[tokio::test]
async fn the_runtime_does_not_wait_for_a_locked_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let config = SqliteConfig { busy_timeout: std::time::Duration::from_millis(300), ..SqliteConfig::new(&path) };
    let store = Arc::new(SqliteStore::open(config).expect("opened"));
    store.create(record("sess_1", "x")).await.expect("created");
    let other = rusqlite::Connection::open(&path).expect("another process");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    // One thread runs all this: were it to wait for the lock, nothing could be read in the meantime.
    let mut save = store.save(record("sess_1", "y"));
    let read = tokio::select! {
        biased;
        saved = &mut save => panic!("the save did not wait for the lock, or the read waited for the save: {saved:?}"),
        read = SessionStore::load(&*store, "sess_1") => read,
    };
    assert_eq!(read.expect("loaded").expect("there").data, "x");
    let saved = save.await;
    let error = saved.expect_err("it is locked");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("locked"), "{error}");
    other.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(store.save(record("sess_1", "y")).await.expect("saved"), 2);
}

#[tokio::test]
async fn what_is_deleted_is_not_left_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let store = open(&path);
    store.create(record("sess_1", "an old secret")).await.expect("created");
    assert!(store.delete("sess_1").await.expect("deleted"));
    let other = rusqlite::Connection::open(&path).expect("opened");
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("moved from the log into the file");
    let bytes = fs::read(&path).expect("read");
    assert!(!bytes.windows(13).any(|window| window == b"an old secret"));
}
