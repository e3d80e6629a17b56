//! Giving up a request, and ending a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway_core::{ErrorKind, Retry};
use transport_http::HttpConfig;

use crate::peer::{Next, Peer, call, connect, connect_with, until};

#[tokio::test]
async fn a_legacy_server_is_told_of_a_dropped_request() {
    let peer = Peer::legacy(|seen, wire| match seen.body["params"]["name"].as_str() {
        Some("hang") => wire.until_closed(),
        Some("hang-in-stream") => {
            wire.begin_events();
            wire.until_closed()
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, heard) = peer.connect().await;
    for (number, name) in ["hang", "hang-in-stream"].into_iter().enumerate() {
        let asked = upstream.request(call(name));
        tokio::time::timeout(Duration::from_millis(100), asked).await.expect_err("it hangs");
        until("told", || peer.seen("notifications/cancelled").len() == number + 1).await;
        let told = &peer.seen("notifications/cancelled")[number];
        let given_up = &peer.seen("tools/call")[number * 2];
        assert_eq!(told.body["params"]["requestId"], given_up.body["id"]);
        assert_eq!(told.header("mcp-session-id"), "s1");
        upstream.request(call("fine")).await.expect("the connection stays good");
    }
    assert!(heard.closed().is_empty());
    upstream.close().await;
    until("all sockets closed", || peer.open.load(Ordering::SeqCst) == 0).await;
    assert_eq!(peer.seen("notifications/cancelled").len(), 2);
}

#[tokio::test]
async fn a_modern_server_sees_the_closed_stream() {
    let peer = Peer::modern("{}", |_, wire| {
        wire.begin_events();
        wire.until_closed()
    });
    let (upstream, _heard) = peer.connect().await;
    let asked = upstream.request(call("hang"));
    tokio::time::timeout(Duration::from_millis(100), asked).await.expect_err("it hangs");
    until("closed", || peer.open.load(Ordering::SeqCst) == 0).await;
    assert!(peer.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_dropped_handshake_leaves_nothing() {
    let peer = Peer::new(|_, wire| wire.until_closed());
    let connecting = connect(peer.spec(), None);
    tokio::time::timeout(Duration::from_millis(100), connecting).await.expect_err("it hangs");
    until("closed", || peer.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_dropped_connection_leaves_nothing() {
    let peer = Peer::new(|seen, wire| match seen.verb.as_str() {
        "GET" => {
            wire.begin_events();
            wire.until_closed()
        }
        _ => crate::peer::legacy(seen, wire).unwrap_or(Next::Close),
    });
    let (upstream, _heard) = peer.connect().await;
    until("a stream", || !peer.verbs("GET").is_empty()).await;
    drop(upstream);
    until("closed", || peer.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn closing_ends_the_session_and_everything_under_way() {
    let peer = Peer::new(|seen, wire| match (seen.verb.as_str(), seen.method()) {
        ("GET", _) => {
            wire.begin_events();
            wire.until_closed()
        }
        (_, "tools/call") => wire.until_closed(),
        _ => crate::peer::legacy(seen, wire).unwrap_or(Next::Close),
    });
    let (upstream, heard) = peer.connect().await;
    let asked = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { upstream.request(call("hang")).await }
    });
    until("under way", || peer.seen("tools/call").len() == 1 && peer.verbs("GET").len() == 1).await;
    tokio::join!(upstream.close(), upstream.close());
    let error = asked.await.expect("no panic").expect_err("closed");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, Retry::IfIdempotent));
    let late = upstream.request(call("t")).await.expect_err("closed");
    assert_eq!((late.kind(), late.retry()), (ErrorKind::Unavailable, Retry::Safe));
    let goodbye = peer.verbs("DELETE");
    assert_eq!(goodbye.len(), 1);
    assert_eq!(goodbye[0].header("mcp-session-id"), "s1");
    until("all sockets closed", || peer.open.load(Ordering::SeqCst) == 0).await;
    assert!(heard.closed().is_empty());
    assert!(peer.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn connections_that_nobody_uses_are_closed() {
    let peer = Peer::modern("{}", |seen, wire| wire.result(seen, "1"));
    let config = HttpConfig { idle_timeout: Duration::from_millis(50), ..HttpConfig::default() };
    let (upstream, _heard) = connect_with(config, peer.spec(), None).await.expect("a connection");
    for _ in 0..2 {
        let calls = (upstream.request(call("a")), upstream.request(call("b")));
        let (a, b) = tokio::join!(calls.0, calls.1);
        a.and(b).expect("results");
        until("all sockets closed", || peer.open.load(Ordering::SeqCst) == 0).await;
    }
}

#[tokio::test]
async fn a_server_says_how_long_it_keeps_connections() {
    let peer = Peer::modern("{}", |seen, wire| {
        let keep = if seen.body["params"]["name"] == "long" { 60 } else { 1 };
        let headers = format!("content-type: application/json\r\nkeep-alive: max=5, timeout={keep}\r\n");
        wire.answer(200, &headers, &format!(r#"{{"id":{},"result":1}}"#, seen.body["id"]))
    });
    let config = HttpConfig { idle_timeout: Duration::from_millis(50), ..HttpConfig::default() };
    let (upstream, _heard) = connect_with(config, peer.spec(), None).await.expect("a connection");
    let before = peer.connections();
    for _ in 0..3 {
        upstream.request(call("long")).await.expect("a result");
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    assert_eq!(peer.connections(), before);
    upstream.request(call("short")).await.expect("the last on that connection");
    upstream.request(call("short")).await.expect("a new connection");
    assert_eq!(peer.connections(), before + 1);
}

#[tokio::test]
async fn a_server_that_does_not_let_go_is_left() {
    let peer = Peer::legacy(|_, wire| wire.until_closed());
    let stubborn = Peer::new(|seen, wire| match seen.verb.as_str() {
        "DELETE" => wire.until_closed(),
        _ => crate::peer::legacy(seen, wire).unwrap_or(Next::Close),
    });
    for peer in [peer, stubborn] {
        let (upstream, _heard) = peer.connect().await;
        tokio::time::timeout(Duration::from_secs(8), upstream.close()).await.expect("in time");
        until("all sockets closed", || peer.open.load(Ordering::SeqCst) == 0).await;
    }
}
