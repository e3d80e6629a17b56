//! The suites.

use std::sync::Arc;

use gateway_core::{SessionStore, UsageStore};
use gateway_testkit::suites;

use crate::open;

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("gateway.db"));
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn SessionStore>;
        async { store }
    };
    suites::session_store(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_tells_of_what_every_teller_must_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let make = move || {
        let pair: (Arc<dyn SessionStore>, Arc<dyn SessionStore>) = (open(&path), open(&path));
        async { pair }
    };
    suites::session_store_changes(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_does_what_every_usage_store_must_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("gateway.db"));
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn UsageStore>;
        async { store }
    };
    suites::usage_store(make).run().await.assert_passed();
}
