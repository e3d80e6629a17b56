//! The floors are routers like any other.

use std::sync::Arc;

use eval_routing::{Bm25Router, Reading};
use gateway_core::Router;
use gateway_testkit::suites;

#[tokio::test]
async fn they_do_what_every_router_must_do() {
    for reading in [Reading::Plain, Reading::Full] {
        let make = move || async move { Arc::new(Bm25Router::new(reading)) as Arc<dyn Router> };
        suites::router(make).run().await.assert_passed();
    }
}
