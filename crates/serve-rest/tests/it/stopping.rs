//! Stopping in order: nothing that was accepted is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::{Door, Request, Setup, until};

const ECHO: &str = r#"{"tool_name":"echo","args":{}}"#;

#[tokio::test]
async fn requests_under_way_are_answered_and_new_ones_refused() {
    let door = Door::open().await;
    let mut busy = door.connect().await;
    busy.send(&Request::post("/mcp/execute", r#"{"tool_name":"slow"}"#).text()).await;
    until("the call", || door.demo.calls() == 1).await;
    door.shutdown.cancel();
    let answer = busy.answer(false).await;
    answer.ok();
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(busy.is_closed().await);
    door.serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn an_idle_connection_may_say_one_more_thing() {
    let door = Door::open().await;
    let mut idle = door.connect().await;
    idle.send(&Request::new("GET", "/livez").text()).await;
    assert_eq!(idle.answer(false).await.header("connection"), None);
    door.shutdown.cancel();
    idle.send(&Request::post("/mcp/execute", ECHO).text()).await;
    let answer = idle.answer(false).await;
    answer.ok();
    assert_eq!(answer.header("connection"), Some("close"));
    let mut other = Door::open().await;
    let mut silent = other.connect().await;
    silent.send(&Request::new("GET", "/livez").text()).await;
    silent.answer(false).await.ok();
    let begin = Instant::now();
    other.shutdown.cancel();
    assert!(silent.is_closed().await);
    (&mut other.serving).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(4), "an idle connection holds nothing up");
}

#[tokio::test]
async fn a_stopping_gateway_is_not_ready() {
    let door = Door::open().await;
    let mut connection = door.connect().await;
    connection.send(&Request::new("GET", "/readyz").text()).await;
    connection.answer(false).await.ok();
    door.shutdown.cancel();
    connection.send(&Request::new("GET", "/readyz").text()).await;
    connection.answer(false).await.problem(503, "unavailable");
}

#[tokio::test]
async fn after_the_grace_period_calls_are_cancelled_and_told() {
    let door = Door::with(Setup { grace: Duration::from_millis(200), ..Setup::default() }).await;
    let mut connection = door.connect().await;
    connection.send(&Request::post("/mcp/execute", r#"{"tool_name":"hang"}"#).text()).await;
    until("the call", || door.demo.calls() == 1).await;
    let begin = Instant::now();
    door.shutdown.cancel();
    let answer = connection.answer(false).await;
    answer.problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    door.serving.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(door.demo.cancelled(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_hold_the_end_up() {
    let door = Door::with(Setup { grace: Duration::from_millis(100), ..Setup::default() }).await;
    let mut connection = door.connect().await;
    let large = format!(r#"{{"tool_name":"echo","args":{{"x":"{}"}}}}"#, "x".repeat(8_000_000));
    connection.send(&Request::post("/mcp/execute", &large).text()).await;
    until("the call", || door.demo.calls() == 1).await;
    let begin = Instant::now();
    door.shutdown.cancel();
    door.serving.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_accepted_request_is_answered() {
    let door = Arc::new(Door::open().await);
    let (sent, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let (door, sent, answered) = (Arc::clone(&door), Arc::clone(&sent), Arc::clone(&answered));
        clients.spawn(async move {
            // As a client of HTTP/1.1 does: one request after the other, until it is told that the connection ends.
            let mut connection = door.connect().await;
            loop {
                sent.fetch_add(1, Ordering::SeqCst);
                connection.send(&Request::post("/mcp/execute", ECHO).text()).await;
                let answer = connection.answer(false).await;
                answer.ok();
                answered.fetch_add(1, Ordering::SeqCst);
                if answer.header("connection") == Some("close") {
                    return;
                }
            }
        });
    }
    until("some load", || answered.load(Ordering::SeqCst) > 500).await;
    door.shutdown.cancel();
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(sent.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
    until("the end", || door.serving.is_finished()).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let mut setup = Setup::default();
    setup.server.max_connections = 2;
    let door = Door::with(setup).await;
    let mut first = door.connect().await;
    let mut second = door.connect().await;
    for connection in [&mut first, &mut second] {
        connection.send(&Request::new("GET", "/livez").text()).await;
        connection.answer(false).await.ok();
    }
    let mut third = door.connect().await;
    third.send(&Request::new("GET", "/livez").text()).await;
    let early = tokio::time::timeout(Duration::from_millis(100), third.answer(false)).await;
    assert!(early.is_err(), "a third connection was served");
    drop(first);
    third.answer(false).await.ok();
}
