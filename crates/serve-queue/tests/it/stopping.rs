//! Stopping in order.

use std::time::Duration;

use gateway_core::Queue as _;
use serde_json::json;
use serve_queue::QueueDoorConfig;
use tokio::time::Instant;

use crate::harness::{Worker, answer, call, demo, memory, until};

#[tokio::test]
async fn what_is_under_way_is_answered_and_what_has_not_begun_is_given_back() {
    let (queue, server) = (memory(30_000), demo());
    let config = QueueDoorConfig { concurrency: 1, prefetch: 2, ..QueueDoorConfig::default() };
    let worker = Worker::with(queue.clone(), &server, config, Duration::from_secs(10)).await;
    call(&queue, "under-way", "slow", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    for id in ["second", "third", "fourth"] {
        call(&queue, id, "echo", json!({})).await;
    }
    until("two wait in the door", || worker.door.stats().in_hand == 3).await;
    let door = worker.door.clone();
    worker.stop().await;
    let done = answer(&queue).await;
    assert_eq!((&done["request_id"], &done["status"]), (&json!("under-way"), &json!("completed")));
    let depth = queue.depth().await.expect("known");
    assert_eq!((depth.waiting, depth.claimed), (3, 0));
    let stats = door.stats();
    assert_eq!((stats.answered, stats.released, stats.in_hand), (1, 2, 0));
    // At once, without waiting for a lease, and in order.
    let other = QueueDoorConfig { concurrency: 1, prefetch: 0, ..QueueDoorConfig::default() };
    let _other = Worker::with(queue.clone(), &server, other, Duration::ZERO).await;
    let mut order = Vec::new();
    until("the others are done", || {
        order.extend(queue.take_answers(None).iter().map(|text| {
            let answer: serde_json::Value = serde_json::from_slice(text).expect("JSON");
            answer["request_id"].as_str().expect("a text").to_owned()
        }));
        order.len() == 3
    })
    .await;
    assert_eq!(order, ["second", "third", "fourth"]);
}

#[tokio::test]
async fn after_the_grace_period_calls_are_dropped() {
    let (queue, server) = (memory(300), demo());
    let config = QueueDoorConfig::default();
    let worker = Worker::with(queue.clone(), &server, config, Duration::from_millis(200)).await;
    call(&queue, "r", "hang", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    let begin = Instant::now();
    worker.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(5), "it took {:?}", begin.elapsed());
    until("the call is cancelled", || server.cancelled() == 1).await;
    assert!(queue.take_answers(None).is_empty());
    let _other = Worker::start(&queue, &server).await;
    assert_eq!(answer(&queue).await["details"], json!({"outcome": "unknown"}));
}

#[tokio::test]
async fn an_idle_door_stops_at_once() {
    let (queue, server) = (memory(30_000), demo());
    let config = QueueDoorConfig { claim_wait: Duration::from_secs(60), ..QueueDoorConfig::default() };
    let worker = Worker::with(queue.clone(), &server, config, Duration::from_secs(60)).await;
    call(&queue, "r", "echo", json!({})).await;
    answer(&queue).await;
    let begin = Instant::now();
    worker.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?}", begin.elapsed());
}
