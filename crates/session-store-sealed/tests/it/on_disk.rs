//! Sealed records in a database that outlives the process.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gateway_core::{ErrorKind, SessionStore};
use gateway_testkit::suites;
use session_store_sealed::{SealedStore, SealingKeys};
use session_store_sqlite::{SqliteConfig, SqliteStore};

use crate::{A, B, keys, record};

fn inner(path: &Path) -> Arc<dyn SessionStore> {
    Arc::new(SqliteStore::open(SqliteConfig::new(path)).expect("opened"))
}

async fn open(path: &Path, keys: SealingKeys) -> Arc<dyn SessionStore> {
    Arc::new(SealedStore::open(inner(path), keys).await.expect("opened"))
}

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("gateway.db"), keys(A, &[])).await;
    let make = move || {
        let store = Arc::clone(&store);
        async { store }
    };
    suites::session_store(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_tells_of_what_every_teller_must_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let pair = (open(&path, keys(A, &[])).await, open(&path, keys(A, &[])).await);
    let make = move || {
        let pair = pair.clone();
        async { pair }
    };
    suites::session_store_changes(make).run().await.assert_passed();
}

#[tokio::test]
async fn a_restart_has_the_records_another_key_has_none_and_no_file_shows_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let key = folder.path().join("secret.key");
    let found = || SealingKeys::load_or_create(&key).expect("a key");
    open(&path, found()).await.create(record("sess_1", "hunter2hunter2")).await.expect("created");
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("read");
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"), "{} shows it", path.display());
    }
    let before = inner(&path).list("").await.expect("listed");
    let error = SealedStore::open(inner(&path), keys(B, &[])).await.expect_err("another key");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("sealed with another key (storage.encryption_key)"), "{error}");
    assert_eq!(inner(&path).list("").await.expect("listed"), before);
    let kept = open(&path, found()).await.load("sess_1").await.expect("loaded").expect("there");
    assert_eq!(kept.data, "hunter2hunter2");
}
