//! What every router must do, whatever it is made of.

use std::sync::Arc;

use gateway_core::Router;
use gateway_testkit::suites;
use router_hybrid::{HybridConfig, HybridRouter, Part};

use crate::catalogue::{meaning, words};

async fn check(parts: fn() -> Vec<Part>) {
    // The suite expects that a weak tool which comes second comes first where the one before it is hidden. By default
    // nothing would come then, since nothing fits that is left.
    let config = HybridConfig { abstain_below: 0.0, ..HybridConfig::default() };
    let make = move || {
        let router = HybridRouter::new(parts()).with_config(config.clone());
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
