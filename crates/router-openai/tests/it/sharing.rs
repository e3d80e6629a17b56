//! Answers that several searches share.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, Router};
use router_openai::OpenAiRouterConfig;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::catalogue::{ask, index, places, router, servers, servers_of};
use crate::fake_model::{Asked, FakeModel, reply};

#[tokio::test]
async fn an_equal_search_costs_nothing() {
    let model = FakeModel::sensible();
    let router = router(&model, OpenAiRouterConfig::default());
    let index = router.index(&servers()).await.expect("an index");
    let first = ask(&*index, "read a file").await;
    assert_eq!(ask(&*index, "read a file").await, first);
    assert_eq!(ask(&*index, " read  a file\n").await, first);
    // Another index that finds the same candidates.
    let again = router.index(&servers()).await.expect("an index");
    assert_eq!(ask(&*again, "read a file").await, first);
    assert_eq!(model.count(), 1);
    ask(&*index, "read the file").await;
    let other = router.index(&servers_of(&[("read_file", "Reads a file from tape")])).await.expect("an index");
    ask(&*other, "read a file").await;
    assert_eq!(model.count(), 3);
}

#[tokio::test]
async fn an_answer_points_to_the_tool_of_the_index_that_asks() {
    let model = FakeModel::naming(&[("read_file", 90)]);
    let router = router(&model, OpenAiRouterConfig::default());
    let one = router.index(&servers_of(&[("x", "nothing"), ("read_file", "")])).await.expect("an index");
    let two = router.index(&servers_of(&[("read_file", "")])).await.expect("an index");
    assert_eq!(places(&ask(&*one, "file").await), [1]);
    assert_eq!(places(&ask(&*two, "file").await), [0]);
    assert_eq!(model.count(), 1);
}

#[tokio::test]
async fn an_answer_ages() {
    let model = FakeModel::sensible();
    let config = OpenAiRouterConfig { cache_ttl: Duration::from_millis(20), ..OpenAiRouterConfig::default() };
    let index = index(&model, config).await;
    ask(&*index, "file").await;
    // No less than the age, however slow the machine is.
    std::thread::sleep(Duration::from_millis(60));
    ask(&*index, "file").await;
    assert_eq!(model.count(), 2);
}

#[tokio::test]
async fn without_a_cache_each_search_asks() {
    let model = FakeModel::sensible();
    let index = index(&model, OpenAiRouterConfig { cache_entries: 0, ..OpenAiRouterConfig::default() }).await;
    for _ in 0..3 {
        assert_eq!(ask(&*index, "file").await.answered_by, None);
    }
    assert_eq!(model.count(), 3);
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let model = FakeModel::new(|count, _| {
        let failed = gateway_core::Error::new(ErrorKind::UpstreamFailed, "fail once");
        std::future::ready(if count == 0 { Err(failed) } else { Ok(reply(r#"{"matches":[]}"#)) })
    });
    let index = index(&model, OpenAiRouterConfig::default()).await;
    assert!(ask(&*index, "file").await.answered_by.is_some());
    assert_eq!(ask(&*index, "file").await.answered_by, None);
}

/// A model that names the first candidate once it may.
fn gated() -> (Arc<FakeModel>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let model = FakeModel::new(move |_, request| {
        let open = Arc::clone(&open);
        async move {
            open.acquire().await.expect("the gate is never closed").forget();
            let label = &Asked::of(&request).candidates[0].label;
            Ok(reply(&format!(r#"{{"matches":[{{"label":"{label}","score":90,"reason":"first"}}]}}"#)))
        }
    });
    (model, gate)
}

async fn until_asked(model: &FakeModel, times: usize) {
    while model.count() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_equal_searches_at_once_one_asks() {
    let (model, gate) = gated();
    let index = index(&model, OpenAiRouterConfig::default()).await;
    let mut searches = JoinSet::new();
    for _ in 0..50 {
        let index = Arc::clone(&index);
        searches.spawn(async move { ask(&*index, "file").await });
    }
    until_asked(&model, 1).await;
    gate.add_permits(50);
    while let Some(ranking) = searches.join_next().await {
        assert_eq!(places(&ranking.expect("a ranking")), [0]);
    }
    assert_eq!(model.count(), 1);
}

#[tokio::test]
async fn where_the_one_who_asks_goes_away_another_asks() {
    let (model, gate) = gated();
    let index = index(&model, OpenAiRouterConfig::default()).await;
    let mut first = JoinSet::new();
    let one = Arc::clone(&index);
    first.spawn(async move { ask(&*one, "file").await });
    until_asked(&model, 1).await;
    let mut others = JoinSet::new();
    for _ in 0..5 {
        let index = Arc::clone(&index);
        others.spawn(async move { ask(&*index, "file").await });
    }
    tokio::task::yield_now().await;
    first.shutdown().await;
    until_asked(&model, 2).await;
    gate.add_permits(10);
    while let Some(ranking) = others.join_next().await {
        assert_eq!(places(&ranking.expect("a ranking")), [0]);
    }
    assert_eq!(model.count(), 2);
}
