//! Embeddings from a service.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, Router, Secret};
use gateway_testkit::suites;
use router_embedding::{Embedder, EmbeddingRouter, EmbeddingService, Role, ServiceConfig, Vector};
use serde_json::json;

use crate::catalogue::{name, rank, servers};
use crate::fake_service::{Answer, FakeService, Received, vector};

fn service(url: &str, change: impl FnOnce(&mut ServiceConfig)) -> EmbeddingService {
    let mut config = ServiceConfig::new(url, "letters-1");
    change(&mut config);
    EmbeddingService::new(config).expect("it can be used")
}

fn values(vectors: &[Option<Vector>]) -> Vec<Option<Vec<f32>>> {
    vectors.iter().map(|vector| vector.as_ref().map(|vector| vector.values().to_vec())).collect()
}

#[tokio::test]
async fn texts_become_vectors_in_their_order() {
    let fake = FakeService::start(vec![Answer::Vectors]).await;
    let service = service(&fake.url, |config| config.batch = 2);
    let found = service.embed(&["aaa", "", "aaaeeee", "xyz", " \n", "io"], Role::Document).await.expect("vectors");
    let half = Some(vec![0.0, 0.0, 0.5_f32.sqrt(), 0.5_f32.sqrt()]);
    let expected = [Some(vec![1.0, 0.0, 0.0, 0.0]), None, Some(vec![0.6, 0.8, 0.0, 0.0]), None, None, half];
    assert_eq!(values(&found), expected);
    let mut sent: Vec<Vec<String>> = fake.received().iter().map(Received::input).collect();
    sent.sort();
    assert_eq!(sent, [["aaa", "aaaeeee"], ["xyz", "io"]]);
}

#[tokio::test]
async fn requests_are_what_the_protocol_wants() {
    let fake = FakeService::start(vec![Answer::Vectors]).await;
    let service = service(&format!("{}/v1/", fake.url), |config| {
        config.api_key = Some(Secret::new("hunter2"));
        config.dimensions = Some(4);
        config.query_prefix = "query: ".to_owned();
        config.max_text_bytes = 7;
    });
    service.embed(&["aaaaaaaaaa"], Role::Query).await.expect("a vector");
    service.embed(&["ééééé"], Role::Document).await.expect("a vector");
    let received = fake.received();
    assert_eq!(received[0].line, "POST /v1/embeddings HTTP/1.1");
    assert_eq!(received[0].headers["authorization"], "Bearer hunter2");
    assert_eq!(received[0].headers["content-type"], "application/json");
    assert_eq!(received[0].body, json!({ "model": "letters-1", "input": ["query: aaaaaaa"], "dimensions": 4 }));
    assert_eq!(received[1].body, json!({ "model": "letters-1", "input": ["ééé"], "dimensions": 4 }));
    assert!(!format!("{service:?} {}", service.id()).contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let failure = |status| Answer::Whole(status, "", "{}".to_owned());
    let later = Answer::Whole(429, "retry-after: 7\r\n", String::new());
    for (answers, requests) in [
        (vec![failure(500), failure(503), later.clone(), Answer::Vectors], 4),
        (vec![Answer::Closes, Answer::Breaks, Answer::Vectors], 3),
    ] {
        let fake = FakeService::start(answers).await;
        let found = service(&fake.url, |_| {}).embed(&["a"], Role::Document).await.expect("it passes");
        assert_eq!((values(&found), fake.received().len()), (vec![Some(vec![1.0, 0.0, 0.0, 0.0])], requests));
    }
    let fake = FakeService::start(vec![later, Answer::Vectors]).await;
    let start = tokio::time::Instant::now();
    service(&fake.url, |_| {}).embed(&["a"], Role::Document).await.expect("it passes");
    assert!(start.elapsed() >= Duration::from_secs(7), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn failures_say_what_to_do_and_show_nothing() {
    let leak = || r#"{"error":{"message":"key hunter2 is wrong"}}"#.to_owned();
    for (status, headers, kind, requests, hint) in [
        (400, "", ErrorKind::InvalidRequest, 1, "`model`"),
        (401, "", ErrorKind::Unauthenticated, 1, "`api_key`"),
        (403, "", ErrorKind::Forbidden, 1, "the key"),
        (404, "", ErrorKind::NotFound, 1, "`base_url`"),
        (307, "location: http://127.0.0.1:1/\r\n", ErrorKind::UpstreamFailed, 1, "redirects"),
        (429, "", ErrorKind::RateLimited, 4, "too many"),
        (429, "retry-after: 3600\r\n", ErrorKind::RateLimited, 1, "too many"),
        (500, "", ErrorKind::Unavailable, 4, "500"),
    ] {
        let fake = FakeService::start(vec![Answer::Whole(status, headers, leak())]).await;
        let service = service(&fake.url, |config| config.api_key = Some(Secret::new("hunter2")));
        let error = service.embed(&["a"], Role::Document).await.expect_err("a failure");
        assert_eq!((error.kind(), fake.received().len()), (kind, requests), "{status}");
        assert!(error.message().contains(hint) && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let error = service("http://127.0.0.1:1", |_| {}).embed(&["a"], Role::Document).await.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let one = |embedding: &str| format!(r#"{{"data":[{{"index":0,"embedding":{embedding}}}]}}"#);
    for (body, hint) in [
        (String::new(), "no list of embeddings"),
        ("[]".to_owned(), "no list of embeddings"),
        (r#"{"data":[]}"#.to_owned(), "0 vectors for 1 texts"),
        (r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#.to_owned(), "2 vectors for 1 texts"),
        (r#"{"data":[{"index":1,"embedding":[1]}]}"#.to_owned(), "an index is out of range"),
        (r#"{"data":[{"index":-1,"embedding":[1]}]}"#.to_owned(), "no list of embeddings"),
        (one("[]"), "0 dimensions"),
        (one("[1,2,3]"), "3 dimensions instead of 4"),
        (one("[1,2,3,1e60]"), "numbers that are none"),
        (one(r#""AACAPwAA""#), "no list of embeddings"),
        (one(&format!("[{}1]", "1,".repeat(20_000))), "20001 dimensions"),
    ] {
        let fake = FakeService::start(vec![Answer::Whole(200, "", body.clone())]).await;
        let service = service(&fake.url, |config| config.dimensions = Some(4));
        let error = service.embed(&["a"], Role::Document).await.expect_err("it is no answer");
        assert_eq!((error.kind(), fake.received().len()), (ErrorKind::UpstreamFailed, 1), "{body:.60}");
        assert!(error.message().contains(hint), "{hint}: {error}");
    }
    let body = r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
    let fake = FakeService::start(vec![Answer::Whole(200, "", body.to_owned())]).await;
    service(&fake.url, |_| {}).embed(&["a", "b"], Role::Document).await.expect_err("an index comes twice");
}

#[tokio::test]
async fn a_service_that_keeps_silent_costs_no_more_than_allowed() {
    let fake = FakeService::start(vec![Answer::Silence]).await;
    let patience = Duration::from_millis(50);
    let service = service(&fake.url, |config| {
        config.timeout = patience;
        config.query_timeout = patience;
        config.max_retries = 1;
    });
    for (role, requests) in [(Role::Query, 1), (Role::Document, 3)] {
        let error = service.embed(&["a"], role).await.expect_err("no answer");
        assert_eq!((error.kind(), fake.received().len()), (ErrorKind::UpstreamTimeout, requests), "{error}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let check = |field: &str, change: fn(&mut ServiceConfig)| {
        let mut config = ServiceConfig::new("https://host", "m");
        change(&mut config);
        let error = EmbeddingService::new(config).expect_err(field);
        assert!(error.kind() == ErrorKind::InvalidRequest && error.message().contains(field), "{error}");
    };
    check("`base_url`", |config| config.base_url = "host".to_owned());
    check("`model`", |config| config.model = " ".to_owned());
    check("`api_key`", |config| config.api_key = Some(Secret::new("a\nb")));
    check("`dimensions`", |config| config.dimensions = Some(0));
    check("`batch`", |config| config.batch = 0);
}

#[tokio::test]
async fn a_router_asks_it() {
    let fake = FakeService::start(vec![Answer::Vectors]).await;
    let router = EmbeddingRouter::new(Arc::new(service(&fake.url, |_| {})));
    let servers = servers();
    let index = router.index(&servers).await.expect("vectors");
    // Across servers: one request for all of them.
    assert_eq!(fake.received().len(), 1);
    let text = fake.received()[0].input()[4].clone();
    assert!(text.contains("remove_directory"), "{text}");
    let found = rank(&*index, &text).await;
    assert_eq!(name(&servers, &found[0]), "remove_directory");
    assert_eq!(found[0].reasoning, "meaning close to its description (1.00)");
    assert_eq!(vector("cake"), [1.0, 1.0, 0.0, 0.0]);
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_of_the_router() {
    let fake = FakeService::start(vec![Answer::Vectors, Answer::Whole(401, "", String::new())]).await;
    let router = EmbeddingRouter::new(Arc::new(service(&fake.url, |_| {})));
    let index = router.index(&servers()).await.expect("vectors");
    let query = gateway_core::Query { text: "a", limit: 1, min_score: 0.0, visible: &|_| true };
    assert_eq!(index.rank(&query).await.expect_err("no vector").kind(), ErrorKind::Unauthenticated);
    assert_eq!(router.index(&servers()).await.map(|_| ()).map_err(|error| error.kind()), Ok(()), "nothing is new");
}

/// Letters tell little of the meaning.
#[tokio::test]
async fn it_does_what_every_router_must_do_that_needs_no_meaning() {
    let fake = Arc::new(FakeService::start(vec![Answer::Vectors]).await);
    let url = fake.url.clone();
    let make = move || {
        let service = service(&url, |_| {});
        async move { Arc::new(EmbeddingRouter::new(Arc::new(service))) as Arc<dyn Router> }
    };
    suites::router(make)
        .run()
        .await
        .assert_passed_except(&[("the_tool_that_fits_comes_first", "four letters are no model")]);
}
