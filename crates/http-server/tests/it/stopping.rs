//! How requests learn that the gateway stops.

use std::time::{Duration, Instant};

use crate::harness::Running;

#[tokio::test]
async fn a_stream_without_end_ends_when_the_gateway_stops() {
    let running = Running::start(Duration::from_secs(60)).await;
    let mut stream = running.send("GET", "/mcp/stream", "").await;
    stream.until("begun").await;
    let begin = Instant::now();
    running.shutdown.cancel();
    let answer = stream.rest().await;
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    running.serving.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "the grace period was not needed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_outlast_the_grace_period_are_refused_by_their_doors() {
    // None at all: the end comes while connections notice its beginning.
    for grace in [Duration::from_millis(50), Duration::ZERO] {
        let running = Running::start(grace).await;
        let mut hanging = Vec::new();
        for at in 0..32 {
            let door = if at % 2 == 0 { "/mcp" } else { "/rest" };
            hanging.push((door, running.send("POST", &format!("{door}/hang"), "X-Request-ID: r-1\r\n").await));
            running.hanging.notified().await;
        }
        running.shutdown.cancel();
        for (door, conversation) in hanging {
            let answer = conversation.rest().await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
            let refusal = format!("\r\n{door} refuses POST unavailable: the gateway is being stopped r-1");
            assert!(answer.ends_with(&refusal), "{answer}");
        }
        running.serving.await.unwrap().unwrap();
    }
}
