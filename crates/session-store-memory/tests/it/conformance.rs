//! What every session store must do.

use std::sync::Arc;

use gateway_core::SessionStore;
use gateway_testkit::suites;
use session_store_memory::MemoryStore;

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let make = || async { Arc::new(MemoryStore::new()) as Arc<dyn SessionStore> };
    suites::session_store(make).run().await.assert_passed();
}
