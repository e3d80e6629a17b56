//! Servers that break the rules or break off, and what is left open after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_core::{ErrorKind, Retry};
use transport_sse::SseConfig;

use crate::peer::{Next, Peer, call, connect, connect_with, legacy, spec, until};

#[tokio::test]
async fn messages_go_to_no_other_origin() {
    let evil = Peer::new(|_, wire| wire.answer(500, "", ""));
    let port = evil.address.port();
    for endpoint in [
        format!("http://127.0.0.1:{port}/message"),
        format!("//127.0.0.1:{port}/message"),
        format!("http://localhost:{port}/message"),
        "https://SELF/message".to_owned(),
        "http://me:hush@SELF/message".to_owned(),
        format!("http://SELF@127.0.0.1:{port}/message"),
        "ftp://SELF/".to_owned(),
        "http://".to_owned(),
        format!("/message?{}", "x".repeat(50_000)),
    ] {
        let named = endpoint.clone();
        let peer = Peer::new(move |seen, wire| {
            if seen.verb == "POST" {
                return wire.answer(500, "", "");
            }
            let named = named.replace("SELF", seen.header("host"));
            wire.open(&format!("event: endpoint\ndata: {named}\n\n"));
            wire.until_closed()
        });
        let error = connect(peer.spec()).await.expect_err(&endpoint);
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{endpoint}: {error:?}");
        assert!(error.message().contains("endpoint") || error.message().contains("another origin"), "{error}");
        assert!(!error.message().contains("hush"), "{error}");
        until("all sockets closed", || peer.is_quiet()).await;
        assert!(peer.verbs("POST").is_empty(), "{endpoint}");
    }
    assert!(evil.all().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_never_comes_is_not_waited_for() {
    let config = SseConfig { endpoint_timeout: Duration::from_millis(100), ..SseConfig::default() };
    for first in
        ["", ": hello\n\n", "data: {\"method\":\"notifications/x\"}\n\n", "event: endpoint\ndata: /unfinished\n"]
    {
        let peer = Peer::new(move |_, wire| {
            wire.open(first);
            wire.until_closed()
        });
        let error = connect_with(config.clone(), peer.spec()).await.expect_err(first);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
        assert!(error.message().contains("no endpoint within 100 ms"), "{error}");
        until("all sockets closed", || peer.is_quiet()).await;
    }
    let peer = Peer::new(|_, wire| {
        wire.open("event: endpoint\n");
        while wire.raw("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n") == Next::Keep {}
        Next::Close
    });
    let error = connect(peer.spec()).await.expect_err("an endless endpoint");
    assert!(error.message().contains("max_message_bytes"), "{error}");
    until("all sockets closed", || peer.is_quiet()).await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_says_why() {
    let check = async |status: u16, headers: &'static str, kind: ErrorKind, words: &str| {
        let peer = Peer::new(move |_, wire| wire.answer(status, headers, "event: endpoint\ndata: /message\n\n"));
        let error = connect(peer.spec()).await.expect_err(words);
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains(words), "{error}");
        until("all sockets closed", || peer.is_quiet()).await;
    };
    let failed = ErrorKind::UpstreamFailed;
    check(404, "", failed, "no SSE endpoint at its URL (404)").await;
    check(401, "", failed, "Authorization").await;
    check(301, "location: /sse/\r\n", failed, "redirects (301) to /sse/").await;
    check(503, "", ErrorKind::Unavailable, "503").await;
    check(200, "content-type: text/html\r\n", failed, "no stream of events").await;
    let packed = "content-type: text/event-stream\r\ncontent-encoding: gzip\r\n";
    check(200, packed, failed, "compressed").await;
    // The stream ends right after its endpoint.
    check(200, "content-type: text/event-stream\r\n", ErrorKind::Unavailable, "its stream of events has ended").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error = connect(spec(&format!("http://{address}/sse"))).await.expect_err("nobody");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.message().contains("refused"), "{error}");

    let peer = Peer::new(|_, _| Next::Close);
    let error = connect(spec(&format!("https://{}/sse", peer.address))).await.expect_err("no TLS");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");

    let error = connect(spec("ftp://127.0.0.1/sse")).await.expect_err("no such scheme");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_lost_stream_ends_the_connection() {
    let peer = Peer::legacy(|seen, wire| match seen.tool() {
        "hang" => wire.accept(),
        _ => {
            let next = wire.accept();
            wire.on_stream("data: {\"id\":");
            wire.end_stream();
            next
        }
    });
    let (upstream, heard) = peer.connect().await;
    let waiting = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { upstream.request(call("hang")).await }
    });
    until("under way", || peer.seen("tools/call").len() == 1).await;
    let last = upstream.request(call("last")).await;
    for outcome in [last, waiting.await.expect("no panic")] {
        let error = outcome.expect_err("the answer can come no more");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, Retry::IfIdempotent));
    }
    assert_eq!(heard.closed(), ["cannot reach the server: its stream of events has ended"]);
    let late = upstream.request(call("late")).await.expect_err("lost");
    assert_eq!((late.kind(), late.retry()), (ErrorKind::Unavailable, Retry::Safe));
    upstream.close().await;
    until("all sockets closed", || peer.is_quiet()).await;
    assert_eq!((heard.closed().len(), peer.seen("tools/call").len(), peer.verbs("GET").len()), (1, 2, 1));
}

#[tokio::test]
async fn a_lost_session_is_told_once_and_may_be_retried() {
    let stream_closed = Arc::new(AtomicUsize::new(0));
    let closed = Arc::clone(&stream_closed);
    let peer = Peer::new(move |seen, wire| match legacy(seen, wire) {
        Some(next) => {
            closed.fetch_add(usize::from(seen.verb == "GET"), Ordering::SeqCst);
            next
        }
        None => wire.answer(404, "", "Could not find session"),
    });
    let (upstream, heard) = peer.connect().await;
    for _ in 0..3 {
        let error = upstream.request(call("t")).await.expect_err("lost");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    }
    assert_eq!(heard.closed(), ["cannot reach the server: it has ended our session"]);
    assert_eq!(peer.seen("tools/call").len(), 1);
    // It says nothing more that matters.
    until("the stream is closed", || stream_closed.load(Ordering::SeqCst) == 1).await;
    upstream.close().await;
    until("all sockets closed", || peer.is_quiet()).await;
}

#[tokio::test]
async fn a_post_that_breaks_off_may_have_been_read() {
    let peer = Peer::legacy(|seen, wire| match seen.tool() {
        "die" => Next::Close,
        "no-http" => {
            wire.raw("SSH-2.0-OpenSSH\r\n\r\n");
            Next::Close
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, heard) = peer.connect().await;
    for name in ["die", "no-http"] {
        upstream.request(call("fine")).await.expect("a kept connection");
        let error = upstream.request(call(name)).await.expect_err(name);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, Retry::IfIdempotent), "{error:?}");
    }
    assert_eq!(peer.seen("tools/call").len(), 4, "none is sent again");
    upstream.request(call("fine")).await.expect("the stream is still good");
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn a_handshake_whose_stream_is_lost_fails() {
    let peer = Peer::new(|seen, wire| match seen.method() {
        "initialize" => {
            let next = wire.accept();
            wire.end_stream();
            next
        }
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    let error = connect(peer.spec()).await.expect_err("lost");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe), "{error:?}");
    until("all sockets closed", || peer.is_quiet()).await;
    assert_eq!(peer.verbs("POST").len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_lost_right_after_the_handshake_is_told_or_fails_it() {
    let rounds = AtomicUsize::new(0);
    let peer = Peer::new(move |seen, wire| match seen.method() {
        "notifications/initialized" => {
            // Before and after the POST is taken.
            if rounds.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                wire.end_stream();
                wire.accept()
            } else {
                let next = wire.accept();
                wire.end_stream();
                next
            }
        }
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    for _ in 0..10 {
        match connect(peer.spec()).await {
            Ok((upstream, heard)) => {
                until("told", || heard.closed().len() == 1).await;
                assert_eq!(upstream.request(call("t")).await.expect_err("lost").kind(), ErrorKind::Unavailable);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    }
    until("all sockets closed", || peer.is_quiet()).await;
}

#[tokio::test]
async fn what_is_too_large_ends_the_connection() {
    for (head, piece) in [("data: ", "xxxxxxxxxxxxxxxxxxxxxxxx"), ("", "data: xxxxxxxxxxxxxxxxxxxx\n")] {
        let peer = Peer::legacy(move |_, wire| {
            let next = wire.accept();
            wire.on_stream(head);
            (0..10_000).for_each(|_| wire.on_stream(piece));
            next
        });
        let (upstream, heard) = peer.connect().await;
        let error = upstream.request(call("t")).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{error:?}");
        assert!(error.message().contains("max_message_bytes"), "{error}");
        assert_eq!(heard.closed().len(), 1);
        upstream.close().await;
        until("all sockets closed", || peer.is_quiet()).await;
    }
}
