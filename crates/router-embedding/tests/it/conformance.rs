//! What every router must do.

use std::sync::Arc;

use gateway_core::Router;
use gateway_testkit::suites;
use router_embedding::EmbeddingRouter;

#[tokio::test]
async fn it_does_what_every_router_must_do() {
    let make = || async { Arc::new(EmbeddingRouter::default()) as Arc<dyn Router> };
    suites::router(make).run().await.assert_passed();
}
