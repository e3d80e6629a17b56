//! The suites.

use std::sync::Arc;

use gateway_core::{SessionStore, UsageStore};
use gateway_testkit::suites;

use crate::{Prefix, any};

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let prefix = Prefix::new();
    let store = Arc::new(prefix.open());
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn SessionStore>;
        async { store }
    };
    suites::session_store(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_tells_of_what_every_teller_must_tell() {
    let prefix = Prefix::new();
    let pair = (Arc::new(prefix.open()), Arc::new(prefix.open()));
    // Until they listen they say that anything may be another, which would pass for every answer.
    any(&mut pair.0.changes().expect("it tells")).await;
    // The second may have said so already: then it says so of a record of its own.
    let mut changes = pair.1.changes().expect("it tells");
    let record = crate::record("sess_first", "x");
    pair.1.create(record).await.expect("created");
    tokio::time::timeout(std::time::Duration::from_secs(10), changes.recv()).await.expect("told").expect("told");
    let make = move || {
        let pair: (Arc<dyn SessionStore>, Arc<dyn SessionStore>) = (pair.0.clone(), pair.1.clone());
        async { pair }
    };
    suites::session_store_changes(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_does_what_every_usage_store_must_do() {
    let prefix = Prefix::new();
    let store = Arc::new(prefix.open());
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn UsageStore>;
        async { store }
    };
    suites::usage_store(make).run().await.assert_passed();
}
