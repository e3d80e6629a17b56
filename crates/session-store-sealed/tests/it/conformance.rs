//! The suites.

use std::sync::Arc;

use gateway_core::SessionStore;
use gateway_testkit::suites;
use session_store_sealed::SealedStore;

use crate::{A, inner, keys};

#[tokio::test]
async fn it_does_what_every_session_store_must_do() {
    let make =
        || async { Arc::new(SealedStore::open(inner(), keys(A, &[])).await.expect("opened")) as Arc<dyn SessionStore> };
    suites::session_store(make).run().await.assert_passed();
}
