//! The fakes are correct, so that what fails in a test is what stands on them.

use std::sync::Arc;

use gateway_core::{Router, Secret};
use gateway_testkit::fakes::{FakeAuth, FakeRouter, FakeStore, FakeUsageStore};
use gateway_testkit::suites::{self, AuthCase};

#[tokio::test]
async fn the_fake_store_shows_every_behaviour() {
    suites::session_store(|| async { FakeStore::shared() }).run().await.assert_passed();
}

#[tokio::test]
async fn the_fake_usage_store_shows_every_behaviour() {
    suites::usage_store(|| async { FakeUsageStore::shared() }).run().await.assert_passed();
}

#[tokio::test]
async fn the_fake_router_shows_every_behaviour() {
    suites::router(|| async { Arc::new(FakeRouter) as Arc<dyn Router> }).run().await.assert_passed();
}

#[tokio::test]
async fn the_fake_auth_shows_every_behaviour() {
    let token = "S3cret-Token";
    let make =
        move || async move { AuthCase { auth: Arc::new(FakeAuth::with_token(token)), token: Secret::new(token) } };
    suites::auth(make).run().await.assert_passed();
}
