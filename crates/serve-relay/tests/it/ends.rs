//! The end of the relay.

use std::time::{Duration, Instant};

use gateway_testkit::reference::ReferenceProcess;
use serde_json::{Value, json};

use crate::client::{Client, call, config, modern, notification, text};
use crate::peer::{Peer, accepted, events};

#[tokio::test]
async fn requests_under_way_are_answered_after_the_input() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    client.say(&call(1, "echo", &json!({ "text": "late", "ms": 700 }))).await;
    let said = client.end().await;
    assert_eq!(said.iter().map(text).collect::<Vec<_>>(), ["late"]);
}

#[tokio::test]
async fn what_has_no_answer_at_the_end_gets_an_error() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut config = config(server.url());
    config.grace = Duration::from_millis(100);
    let mut client = Client::start(config);
    client.greet().await;
    client.say(&call(1, "hang", &json!({}))).await;
    client.say(&modern(2, "tools/call", json!({ "name": "hang" }))).await;
    let mut said = client.end().await;
    said.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(said.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [1, 2]);
    assert!(said.iter().all(|answer| answer["error"].is_object()), "{said:?}");
}

#[tokio::test]
async fn nobody_waits_for_what_was_cancelled() {
    // The gateway goes on all the same.
    let peer = Peer::legacy(async |seen| match seen.method() {
        "notifications/cancelled" => accepted(),
        _ => std::future::pending().await,
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    client.say(&call(1, "x", &json!({}))).await;
    client.say(&notification("notifications/cancelled", &json!({ "requestId": 1 }))).await;
    let begin = Instant::now();
    assert_eq!(client.end().await, Vec::<Value>::new());
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(peer.seen("POST", "notifications/cancelled").len(), 1);
}

#[tokio::test]
async fn told_to_stop_it_answers_and_leaves_while_the_input_goes_on() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    client.say(&call(1, "hang", &json!({}))).await;
    client.poll("cancelled", |found| found["running"] == 1).await;
    client.shutdown.cancel();
    let answer = client.hear().await;
    assert_eq!((&answer["id"], answer["error"].is_object()), (&1.into(), true));
    assert_eq!(client.line().await, None);
    client.ended().await;
}

#[tokio::test]
async fn a_client_that_reads_no_more_ends_it() {
    let (sender, reply) = events();
    let reply = std::sync::Mutex::new(Some(reply));
    let peer = Peer::legacy(move |_| {
        let reply = reply.lock().unwrap().take().unwrap();
        async { reply }
    })
    .await;
    let (input, their_input) = tokio::io::duplex(64 * 1024);
    let (their_output, output) = tokio::io::duplex(64);
    let relay = tokio::spawn(serve_relay::stdio(config(&peer.url()), their_input, their_output, Default::default()));
    let mut input = input;
    tokio::io::AsyncWriteExt::write_all(&mut input, format!("{}\n", call(1, "x", &json!({}))).as_bytes())
        .await
        .unwrap();
    drop(output);
    peer.wait_for("POST", "tools/call", 1).await;
    sender.send("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\n").unwrap();
    tokio::time::timeout(crate::client::PATIENCE, relay).await.expect("it ends").unwrap().unwrap();
    drop(input);
}

#[tokio::test]
async fn the_end_waits_for_no_stream_and_no_dead_gateway() {
    // The gateway takes the session's end and never answers.
    let peer = Peer::new(async |seen| match seen.method() {
        "initialize" => crate::peer::greet(&seen, "s1"),
        "notifications/initialized" => accepted(),
        _ => std::future::pending().await,
    })
    .await;
    let client = Client::greeted(&peer.url()).await;
    peer.wait_for("GET", "", 1).await;
    let begin = Instant::now();
    assert_eq!(client.end().await, Vec::<Value>::new());
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(peer.seen("DELETE", "").len(), 1);
}
