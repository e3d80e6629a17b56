//! The suites.

use std::sync::Arc;

use gateway_core::{SessionStore, UsageStore};
use gateway_testkit::suites;

use crate::Schema;

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let schema = Schema::new();
    let store = Arc::new(schema.open().await);
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn SessionStore>;
        async { store }
    };
    suites::session_store(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_tells_of_what_every_teller_must_tell() {
    let schema = Schema::new();
    let pair = (Arc::new(schema.open().await), Arc::new(schema.open().await));
    let make = move || {
        let pair: (Arc<dyn SessionStore>, Arc<dyn SessionStore>) = (pair.0.clone(), pair.1.clone());
        async { pair }
    };
    suites::session_store_changes(make).run().await.assert_passed();
}

#[tokio::test]
async fn it_does_what_every_usage_store_must_do() {
    let schema = Schema::new();
    let store = Arc::new(schema.open().await);
    let make = move || {
        let store = Arc::clone(&store) as Arc<dyn UsageStore>;
        async { store }
    };
    suites::usage_store(make).run().await.assert_passed();
}
