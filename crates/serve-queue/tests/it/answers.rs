//! What jobs are answered.

use std::time::{Duration, SystemTime};

use gateway_core::{NewSession, Queue as _};
use gateway_testkit::fakes;
use serde_json::{Value, json};
use serve_queue::{QueueDoorConfig, QueueDoorStats};

use crate::harness::{ODD_RESULT, Worker, answer, answer_in, ask, call, demo, error, memory, produce, settled, until};

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

#[tokio::test]
async fn a_call_is_answered_with_its_result_byte_for_byte() {
    let (queue, server) = (memory(30_000), demo());
    let worker = Worker::start(&queue, &server).await;
    produce(&queue, r#"{"request_id":"r-1","action":"mcp_tool_call","payload":{"tool_name":"odd","args":{}}}"#).await;
    settled(&queue).await;
    let text = queue.take_answers(None).pop().expect("an answer");
    let text = std::str::from_utf8(&text).expect("UTF-8");
    assert!(text.ends_with(&format!(r#""call_tool_result":{ODD_RESULT}}}}}"#)), "{text}");
    let answer: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!((&answer["request_id"], &answer["status"]), (&json!("r-1"), &json!("completed")));
    assert!((answer["timestamp"].as_f64().expect("a number") - now()).abs() < 60.0);
    let result = &answer["result"];
    assert_eq!((&result["success"], &result["server"], &result["tool"]), (&json!(true), &json!("demo"), &json!("odd")));
    assert_eq!(result["content"], "café \"one\"");
    let record = queue.request("r-1").await.expect("asked").expect("known");
    assert_eq!(record.response.as_deref(), Some(text.as_bytes()));
    let expected = QueueDoorStats { taken: 1, answered: 1, ..QueueDoorStats::default() };
    until("everything is counted", || worker.door.stats() == expected).await;
}

#[tokio::test]
async fn a_tool_that_fails_is_a_completed_job() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    call(&queue, "r", "fail", json!({})).await;
    let answer = answer(&queue).await;
    assert_eq!((&answer["status"], &answer["result"]["success"]), (&json!("completed"), &json!(false)), "{answer}");
}

#[tokio::test]
async fn a_search_is_answered_with_what_it_found() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    let wanted = json!({"query": "repeats the message", "limit": 1, "servers": ["demo"], "min_score": 0.0});
    let found = ask(&queue, json!({"request_id": "r", "action": "mcp_search", "payload": wanted})).await;
    assert_eq!(found["status"], "completed", "{found}");
    assert_eq!(found["result"].as_array().map(Vec::len), Some(1), "{found}");
    let tool = &found["result"][0];
    assert_eq!((&tool["mcp_server"], &tool["tool_name"]), (&json!("demo"), &json!("echo")));
    assert!(tool["input_schema"].is_object() && tool["match_score"].is_number() && tool["reasoning"].is_string());
    assert!(found["router"].is_string() && found["took_ms"].is_number());
}

#[tokio::test]
async fn payloads_have_all_spellings_that_rest_has() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    let payloads = [
        json!({"tool_name": "echo", "args": {"a": 1}}),
        json!({"name": "echo", "arguments": {"a": 1}}),
        json!({"name": "demo__echo", "arguments": {"a": 1}, "timeout_ms": 5000}),
        json!({"tool_name": "echo", "args": {"a": 1}, "server": "demo"}),
        json!(r#"{"tool_name": "echo", "args": {"a":1}}"#),
    ];
    for (number, payload) in payloads.iter().enumerate() {
        let id = format!("r-{number}");
        let answer = ask(&queue, json!({"request_id": id, "action": "mcp_tool_call", "payload": payload})).await;
        assert_eq!(answer["result"]["content"], r#"{"a":1}"#, "{payload}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_goes_where_it_is_wanted() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    call(&queue, "r", "echo", json!({"reply_to": "mine"})).await;
    assert_eq!(answer_in(&queue, Some("mine")).await["request_id"], "r");
    assert!(queue.take_answers(None).is_empty());
}

#[tokio::test]
async fn a_request_sent_twice_runs_once() {
    let (queue, server) = (memory(30_000), demo());
    let worker = Worker::start(&queue, &server).await;
    call(&queue, "r", "slow", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    call(&queue, "r", "slow", json!({"reply_to": "mine"})).await;
    call(&queue, "r", "slow", json!({})).await;
    let (one, other) = (answer(&queue).await, answer_in(&queue, Some("mine")).await);
    assert_eq!((one["status"].clone(), &one), (json!("completed"), &other));
    settled(&queue).await;
    assert_eq!((server.calls(), worker.door.stats().duplicates), (1, 2));
    assert!(queue.take_answers(None).is_empty());
}

#[tokio::test]
async fn a_job_runs_in_its_session() {
    let (queue, server) = (memory(30_000), demo());
    let worker = Worker::start(&queue, &server).await;
    let context = fakes::context(&worker.gateway, None).await;
    let session = worker.gateway.create_session(&context, NewSession::default()).await.expect("made").id;
    call(&queue, "r-1", "demo__echo", json!({"session_id": session})).await;
    let inside = answer(&queue).await;
    assert_eq!((&inside["status"], &inside["session_id"]), (&json!("completed"), &json!(session)), "{inside}");
    for (number, unknown) in ["sess_0123456789abcdef0123456789abcdef01234567", "no such form!", ""].iter().enumerate() {
        call(&queue, &format!("r-x{number}"), "echo", json!({"session_id": unknown})).await;
        error(&answer(&queue).await, "not_found");
    }
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_deadline_bounds_a_job() {
    let (queue, server) = (memory(30_000), demo());
    let _worker = Worker::start(&queue, &server).await;
    call(&queue, "r-1", "echo", json!({"deadline": now() - 1.0})).await;
    let said = error(&answer(&queue).await, "deadline_exceeded");
    assert!(said.contains("before the job began"), "{said}");
    assert_eq!(server.calls(), 0);
    call(&queue, "r-2", "hang", json!({"deadline": now() + 0.3})).await;
    error(&answer(&queue).await, "deadline_exceeded");
    let payload = json!({"tool_name": "hang", "timeout_ms": 100});
    call(&queue, "r-3", "hang", json!({"payload": payload, "deadline": now() + 1000.0})).await;
    error(&answer(&queue).await, "deadline_exceeded");
    until("both calls are cancelled", || server.cancelled() == 2).await;
}

#[tokio::test]
async fn the_most_urgent_of_what_waits_goes_first() {
    let (queue, server) = (memory(30_000), demo());
    let config = QueueDoorConfig { concurrency: 1, prefetch: 10, ..QueueDoorConfig::default() };
    let worker = Worker::with(queue.clone(), &server, config, Duration::from_secs(5)).await;
    call(&queue, "first", "slow", json!({})).await;
    until("the first is under way", || server.calls() == 1).await;
    for (id, priority) in [("low", "low"), ("normal", "normal"), ("urgent", "urgent"), ("high", "high")] {
        call(&queue, id, "echo", json!({"priority": priority})).await;
    }
    until("all are taken", || worker.door.stats().in_hand == 5).await;
    settled(&queue).await;
    let order: Vec<String> = queue
        .take_answers(None)
        .iter()
        .map(|answer| {
            serde_json::from_slice::<Value>(answer).expect("JSON")["request_id"].as_str().expect("a text").to_owned()
        })
        .collect();
    assert_eq!(order, ["first", "urgent", "high", "normal", "low"]);
}

#[tokio::test]
async fn no_more_jobs_run_and_wait_here_than_there_is_room_for() {
    let (queue, server) = (memory(30_000), demo());
    let config = QueueDoorConfig { concurrency: 2, prefetch: 1, ..QueueDoorConfig::default() };
    let worker = Worker::with(queue.clone(), &server, config, Duration::ZERO).await;
    for number in 0..6 {
        call(&queue, &format!("r-{number}"), "hang", json!({})).await;
    }
    until("the door is full", || worker.door.stats().in_hand == 3 && server.calls() == 2).await;
    let depth = queue.depth().await.expect("known");
    assert_eq!((depth.waiting, depth.claimed), (3, 3));
}
