//! Doors that are killed in the middle: never silence, never twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_core::{Queue as _, RawJson};
use gateway_testkit::fakes::Answer;
use serde_json::json;
use serve_queue::QueueDoorConfig;
use tokio::time::{Instant, sleep};

use crate::harness::{PATIENCE, Worker, answer, call, demo, error, memory, settled, until};

#[tokio::test]
async fn a_call_that_may_run_twice_is_run_again() {
    for (tool, more) in [("first-hangs-safely", json!({})), ("first-hangs", json!({"idempotent": true}))] {
        let (queue, server) = (memory(300), demo());
        let first = Worker::start(&queue, &server).await;
        call(&queue, "r", tool, more).await;
        until("the call is under way", || server.calls() == 1).await;
        first.kill().await;
        let second = Worker::start(&queue, &server).await;
        let answer = answer(&queue).await;
        assert_eq!(
            (&answer["status"], &answer["result"]["content"]),
            (&json!("completed"), &json!("done")),
            "{answer}"
        );
        settled(&queue).await;
        assert_eq!(server.calls(), 2, "{tool}");
        assert!(queue.take_answers(None).is_empty());
        assert_eq!(second.door.stats().unknown_outcomes, 0);
    }
}

#[tokio::test]
async fn a_call_that_must_not_run_twice_is_answered_as_unknown() {
    for (tool, more) in [
        ("first-hangs", json!({})),
        ("first-hangs-safely", json!({"idempotent": false})),
        ("first-hangs", json!({"payload": {"tool_name": "first-hangs", "server": "demo"}})),
    ] {
        let (queue, server) = (memory(300), demo());
        let first = Worker::start(&queue, &server).await;
        call(&queue, "r", tool, more).await;
        until("the call is under way", || server.calls() == 1).await;
        first.kill().await;
        let second = Worker::start(&queue, &server).await;
        let answer = answer(&queue).await;
        let said = error(&answer, "upstream_failed");
        assert!(said.contains("unknown"), "{said}");
        assert_eq!(answer["details"], json!({"outcome": "unknown"}));
        settled(&queue).await;
        assert_eq!(server.calls(), 1, "{tool}");
        assert!(queue.take_answers(None).is_empty());
        until("it is counted", || second.door.stats().unknown_outcomes == 1).await;
    }
}

#[tokio::test]
async fn a_read_only_tool_of_a_named_server_is_run_again() {
    let (queue, server) = (memory(300), demo());
    let first = Worker::start(&queue, &server).await;
    let payload = json!({"tool_name": "first-hangs-safely", "server": "demo"});
    call(&queue, "r", "", json!({"payload": payload})).await;
    until("the call is under way", || server.calls() == 1).await;
    first.kill().await;
    let _second = Worker::start(&queue, &server).await;
    assert_eq!(answer(&queue).await["status"], "completed");
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_tool_that_is_not_there_any_more_is_no_reason_to_run_it_again() {
    let (queue, server) = (memory(300), demo());
    let first = Worker::start(&queue, &server).await;
    call(&queue, "r", "first-hangs-safely", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    first.kill().await;
    let without = gateway_testkit::fakes::FakeServer::new();
    let _second = Worker::start(&queue, &without).await;
    error(&answer(&queue).await, "upstream_failed");
    assert_eq!((server.calls(), without.calls()), (1, 0));
}

#[tokio::test]
async fn what_had_not_begun_when_its_door_died_runs_as_if_new() {
    let (queue, server) = (memory(300), demo());
    let config = QueueDoorConfig { concurrency: 1, prefetch: 5, ..QueueDoorConfig::default() };
    let first = Worker::with(queue.clone(), &server, config, Duration::ZERO).await;
    call(&queue, "r-0", "hang-safely", json!({"deadline": 1.0e18})).await;
    until("the first is under way", || server.calls() == 1).await;
    for number in 1..4 {
        call(&queue, &format!("r-{number}"), "echo", json!({})).await;
    }
    until("all are taken", || first.door.stats().in_hand == 4).await;
    first.kill().await;
    let _second = Worker::start(&queue, &server).await;
    until("the first runs again, the others once", || server.calls() == 5).await;
    let mut answers = Vec::new();
    until("three are answered", || {
        answers.extend(queue.take_answers(None));
        answers.len() == 3
    })
    .await;
    for answer in answers {
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["status"], "completed", "{answer}");
    }
}

#[tokio::test]
async fn a_long_call_keeps_its_lease() {
    let (queue, server) = (memory(250), demo());
    let one = Worker::start(&queue, &server).await;
    let two = Worker::start(&queue, &server).await;
    call(&queue, "r", "slow", json!({})).await;
    assert_eq!(answer(&queue).await["status"], "completed");
    settled(&queue).await;
    assert_eq!(server.calls(), 1);
    assert_eq!(one.door.stats().lost_leases + two.door.stats().lost_leases, 0);
}

#[tokio::test]
async fn a_job_that_ends_everybody_is_laid_aside() {
    let (queue, server) = (memory(200), demo());
    let config = QueueDoorConfig { max_deliveries: 2, ..QueueDoorConfig::default() };
    call(&queue, "r", "hang-safely", json!({})).await;
    for times in 1..=2 {
        let worker = Worker::with(queue.clone(), &server, config.clone(), Duration::ZERO).await;
        until("the call is under way", || server.calls() == times).await;
        worker.kill().await;
    }
    let last = Worker::with(queue.clone(), &server, config, Duration::ZERO).await;
    let told = answer(&queue).await;
    let said = error(&told, "upstream_failed");
    assert!(said.contains("taken 2 times") && said.contains("unknown"), "{said}");
    assert_eq!(server.calls(), 2);
    let letters = queue.dead_letters();
    assert_eq!((letters.len(), letters[0].reason.contains("given up")), (1, true), "{letters:?}");
    let record = queue.request("r").await.expect("asked").expect("known");
    assert_eq!(record.state.as_str(), "error");
    until("it is counted", || last.door.stats().dead == 1).await;
}

/// Counts the calls of each job, by the `m` of their arguments.
fn counting(calls: &Arc<Mutex<BTreeMap<String, usize>>>) -> Answer {
    let calls = Arc::clone(calls);
    Answer::new(move |arguments, _| {
        let arguments: BTreeMap<String, String> = arguments.read().expect("as they were pushed");
        *calls.lock().expect("no panic").entry(arguments["m"].clone()).or_insert(0) += 1;
        async {
            sleep(Duration::from_millis(20)).await;
            Ok(RawJson::parse(r#"{"content":[{"type":"text","text":"done"}]}"#).expect("JSON"))
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_doors_that_die_each_job_has_one_answer_and_none_runs_twice_that_must_not() {
    const JOBS: usize = 200;
    let calls = Arc::new(Mutex::new(BTreeMap::new()));
    let server = demo()
        .with_tool("charge", "", counting(&calls))
        .with_tool("read", "", counting(&calls))
        .with_pages(&[r#"{"tools":[{"name":"charge","inputSchema":{"type":"object"}},
            {"name":"read","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}"#]);
    let queue = memory(250);
    let config = QueueDoorConfig { concurrency: 4, prefetch: 4, ..QueueDoorConfig::default() };
    let _steady = Worker::with(queue.clone(), &server, config.clone(), Duration::ZERO).await;
    for number in 0..JOBS {
        let tool = if number % 2 == 0 { "charge" } else { "read" };
        call(&queue, &format!("{tool}-{number}"), tool, json!({})).await;
    }
    let mut answers: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let mut take = || {
        for text in queue.take_answers(None) {
            let answer: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            let id = answer["request_id"].as_str().expect("a text").to_owned();
            assert_eq!(answers.insert(id.clone(), answer), None, "a second answer to {id}");
        }
        answers.len()
    };
    // Others come and are killed in the middle of something, one after the other.
    let begin = Instant::now();
    let mut deaths = 0;
    while take() < JOBS {
        assert!(begin.elapsed() < PATIENCE, "only {} of {JOBS} are answered", take());
        let other = Worker::with(queue.clone(), &server, config.clone(), Duration::ZERO).await;
        let busy = Instant::now();
        while other.door.stats().in_hand == 0 && busy.elapsed() < Duration::from_millis(300) {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(15)).await;
        deaths += usize::from(other.door.stats().in_hand > 0);
        other.kill().await;
    }
    settled(&queue).await;
    assert_eq!(take(), JOBS);
    assert!(deaths >= 3, "only {deaths} doors died with something in hand");
    let calls = calls.lock().expect("no panic");
    let mut unknown = 0;
    for (id, answer) in &answers {
        let times = calls.get(id).copied().unwrap_or(0);
        let is_unknown = answer["details"]["outcome"] == "unknown";
        unknown += usize::from(is_unknown);
        if id.starts_with("charge") {
            assert!(times <= 1, "{id} ran {times} times");
        }
        assert!(is_unknown || (answer["status"] == "completed" && times >= 1), "{id}: {answer}");
        assert!(!is_unknown || id.starts_with("charge"), "{id} may run again");
    }
    assert!(unknown >= 1, "no call was in the middle when its door died");
}

#[tokio::test]
async fn what_has_never_begun_is_not_laid_aside_with_the_job_that_ends_everybody() {
    let (queue, server) = (memory(200), demo());
    let config = QueueDoorConfig { concurrency: 1, prefetch: 1, max_deliveries: 2, ..QueueDoorConfig::default() };
    call(&queue, "r-ends-everybody", "hang-safely", json!({})).await;
    call(&queue, "r-innocent", "echo", json!({})).await;
    for times in 1..=2 {
        let worker = Worker::with(queue.clone(), &server, config.clone(), Duration::ZERO).await;
        until("the call is under way", || server.calls() == times).await;
        until("the other one waits behind it", || worker.door.stats().in_hand == 2).await;
        worker.kill().await;
    }
    let _last = Worker::with(queue.clone(), &server, config, Duration::ZERO).await;
    let mut answers = BTreeMap::new();
    until("both are answered", || {
        for text in queue.take_answers(None) {
            let answer: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            answers.insert(answer["request_id"].as_str().expect("a text").to_owned(), answer);
        }
        answers.len() == 2
    })
    .await;
    error(&answers["r-ends-everybody"], "upstream_failed");
    assert_eq!(answers["r-innocent"]["status"], "completed", "{answers:?}");
    assert_eq!((server.calls(), queue.dead_letters().len()), (3, 1));
}
