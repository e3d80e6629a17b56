//! Jobs that are none, and callers that may not.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Credentials, GatewayBuilder, Secret};
use gateway_testkit::fakes::{FakeAuth, FakeRouter, FakeStore, FakeTransport, spec};
use serde_json::{Value, json};
use serve_queue::QueueDoorConfig;

use crate::harness::{Worker, answer, answer_in, ask, call, demo, error, memory, produce, settled};

#[tokio::test]
async fn what_says_nothing_of_itself_is_a_dead_letter() {
    let (queue, server) = (memory(30_000), demo());
    let worker = Worker::start(&queue, &server).await;
    let texts = ["hello", "[1]", "{}", r#"{"request_id":17,"action":"mcp_search","payload":{}}"#];
    for text in texts {
        produce(&queue, text).await;
    }
    settled(&queue).await;
    let letters = queue.dead_letters();
    assert_eq!(letters.iter().map(|letter| &*letter.payload).collect::<Vec<_>>(), texts.map(str::as_bytes));
    assert!(letters[2].reason.contains("request_id is missing"), "{letters:?}");
    assert!(letters[3].reason.contains("request_id must be a text"), "{letters:?}");
    assert!(queue.take_answers(None).is_empty());
    crate::harness::until("all are counted", || worker.door.stats().dead == 4).await;
    assert_eq!(worker.door.stats().answered, 0);
}

#[tokio::test]
async fn a_wrong_envelope_is_a_dead_letter_and_its_sender_is_told() {
    let (queue, server) = (memory(30_000), demo());
    let worker = Worker::start(&queue, &server).await;
    let cases = [
        (json!({"request_id": "r-1", "payload": {}}), "action is missing", None),
        (json!({"request_id": "r-2", "action": "dance", "payload": {}}), "action must be", None),
        (json!({"request_id": "r-3", "action": "mcp_search"}), "payload is missing", None),
        (
            json!({"request_id": "r-4", "action": "mcp_search", "payload": {}, "deadline": "now"}),
            "deadline must be",
            None,
        ),
        (
            json!({"request_id": "r-5", "action": "dance", "payload": {}, "reply_to": "me"}),
            "action must be",
            Some("me"),
        ),
        (json!({"request_id": "r-6", "action": "mcp_search", "payload": {}, "reply_to": 5}), "reply_to must be", None),
    ];
    for (envelope, says, list) in &cases {
        produce(&queue, &envelope.to_string()).await;
        let told = answer_in(&queue, *list).await;
        assert_eq!(told["request_id"], envelope["request_id"]);
        let said = error(&told, "invalid_request");
        assert!(said.contains(says), "{said}");
    }
    settled(&queue).await;
    let letters = queue.dead_letters();
    assert_eq!(letters.len(), cases.len());
    for ((envelope, says, _), letter) in cases.iter().zip(&letters) {
        assert_eq!(&serde_json::from_slice::<Value>(&letter.payload).expect("JSON"), envelope);
        assert!(letter.reason.contains(says), "{letter:?}");
    }
    crate::harness::until("all are counted", || worker.door.stats().failed == 6).await;
}

#[tokio::test]
async fn a_wrong_payload_is_answered() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    let cases = [
        ("mcp_search", json!({}), "invalid_request", "query is missing"),
        ("mcp_search", json!({"query": "x", "limit": 51}), "invalid_request", "limit must be"),
        ("mcp_search", json!({"query": 5}), "invalid_request", "payload is not what"),
        ("mcp_search", json!([]), "invalid_request", "payload must be an object"),
        ("mcp_search", json!("no JSON"), "invalid_request", "payload must be an object"),
        ("mcp_search", json!("{no JSON"), "invalid_request", "payload is not what"),
        ("mcp_tool_call", json!({}), "invalid_request", "tool_name is missing"),
        ("mcp_tool_call", json!({"tool_name": "echo", "args": []}), "invalid_arguments", "args must be"),
        ("mcp_tool_call", json!({"tool_name": "nobody"}), "not_found", "nobody"),
        ("mcp_tool_call", json!({"tool_name": "echo", "timeout_ms": 0}), "invalid_request", "timeout_ms must be"),
    ];
    for (number, (action, payload, kind, says)) in cases.into_iter().enumerate() {
        let envelope = json!({"request_id": format!("r-{number}"), "action": action, "payload": payload});
        let said = error(&ask(&queue, envelope).await, kind);
        assert!(said.contains(says), "{payload}: {said}");
    }
    assert!(queue.dead_letters().is_empty());
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn a_job_beyond_the_limit_is_refused() {
    let (queue, server) = (memory(30_000), demo());
    let config = QueueDoorConfig { max_payload_bytes: 500, ..QueueDoorConfig::default() };
    let _worker = Worker::with(queue.clone(), &server, config, Duration::ZERO).await;
    call(&queue, "r", "echo", json!({"padding": "x".repeat(500)})).await;
    error(&answer(&queue).await, "too_large");
    assert_eq!(queue.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_tool_that_panics_is_an_answer_and_the_door_goes_on() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    call(&queue, "r-1", "panic", json!({})).await;
    let told = answer(&queue).await;
    assert_eq!((&told["request_id"], &told["status"]), (&json!("r-1"), &json!("error")), "{told}");
    call(&queue, "r-2", "echo", json!({})).await;
    assert_eq!(answer(&queue).await["status"], "completed");
}

#[tokio::test]
async fn jobs_have_the_rights_of_the_doors_credentials() {
    let (queue, server) = (memory(30_000), demo());
    let transport = FakeTransport::new().with_server("demo", &server);
    let auth = Arc::new(FakeAuth::with_token("S3cret"));
    let gateway = GatewayBuilder::new(Arc::new(FakeRouter), FakeStore::shared(), auth)
        .with_transport(Arc::new(transport))
        .with_servers(vec![spec("demo")])
        .start()
        .await
        .expect("started");
    gateway.settled().await;
    let stranger = Worker::at(gateway.clone(), queue.clone(), QueueDoorConfig::default(), Duration::ZERO);
    call(&queue, "r-1", "echo", json!({})).await;
    error(&answer(&queue).await, "unauthenticated");
    stranger.kill().await;
    let credentials = Credentials { token: Some(Secret::new("S3cret")), local: false };
    let config = QueueDoorConfig { credentials, ..QueueDoorConfig::default() };
    assert!(!format!("{config:?}").contains("S3cret"));
    let _known = Worker::at(gateway, queue.clone(), config, Duration::ZERO);
    call(&queue, "r-2", "echo", json!({})).await;
    assert_eq!(answer(&queue).await["status"], "completed");
}
