//! What every router must do, whatever it is made of.

use std::sync::Arc;

use gateway_core::Router;
use gateway_testkit::suites;
use router_hybrid::{HybridRouter, Part};

use crate::catalogue::{meaning, words};

async fn check(parts: fn() -> Vec<Part>) {
    let make = move || {
        let router = HybridRouter::new(parts());
        async { Arc::new(router) as Arc<dyn Router> }
    };
    suites::router(make).run().await.assert_passed();
}

#[tokio::test]
async fn words_and_meaning_do_what_every_router_must_do() {
    check(|| vec![words(), meaning()]).await;
}

#[tokio::test]
async fn words_alone_do_what_every_router_must_do() {
    check(|| vec![words()]).await;
}

#[tokio::test]
async fn meaning_alone_does_what_every_router_must_do() {
    check(|| vec![meaning()]).await;
}
