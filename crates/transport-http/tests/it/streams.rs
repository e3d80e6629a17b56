//! What a server says of its own accord, and streams that break off.

use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_core::{ErrorKind, Listener};

use crate::peer::{Next, Peer, call, legacy, until};

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

#[tokio::test]
async fn the_legacy_stream_is_heard_and_taken_up_again() {
    let opened = AtomicUsize::new(0);
    let peer = Peer::new(move |seen, wire| match seen.verb.as_str() {
        "GET" => {
            wire.begin_events();
            match opened.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    wire.chunk(&format!("id: e1\nretry: 10\ndata: {CHANGED}\n\n"));
                    wire.end_events();
                    Next::Close
                }
                _ => {
                    wire.event(r#"{"method":"notifications/later"}"#);
                    wire.until_closed()
                }
            }
        }
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    let (upstream, heard) = peer.connect().await;
    until("both", || heard.notified().len() == 2).await;
    assert_eq!(heard.notified(), ["notifications/tools/list_changed {}", "notifications/later {}"]);
    let gets = peer.verbs("GET");
    assert_eq!((gets[0].header("last-event-id"), gets[1].header("last-event-id")), ("", "e1"));
    assert_eq!(gets[0].header("accept"), "text/event-stream");
    assert_eq!(gets[0].header("mcp-session-id"), "s1");
    upstream.close().await;
}

#[tokio::test]
async fn changes_that_a_broken_stream_may_have_missed_are_assumed() {
    let opened = AtomicUsize::new(0);
    let peer = Peer::new(move |seen, wire| match seen.verb.as_str() {
        "GET" => {
            wire.begin_events();
            if opened.fetch_add(1, Ordering::SeqCst) == 0 { Next::Close } else { wire.until_closed() }
        }
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    let (upstream, heard) = peer.connect().await;
    until("assumed", || heard.notified() == ["notifications/tools/list_changed {}"]).await;
    upstream.close().await;
}

#[tokio::test]
async fn a_server_without_a_stream_is_not_asked_again() {
    for status in [400, 404, 405, 406] {
        let peer = Peer::new(move |seen, wire| match seen.verb.as_str() {
            "GET" => wire.answer(status, "", "Cannot GET /mcp"),
            _ => legacy(seen, wire).unwrap_or_else(|| wire.result(seen, "1")),
        });
        let (upstream, heard) = peer.connect().await;
        until("asked", || peer.verbs("GET").len() == 1).await;
        upstream.request(call("t")).await.expect("a result");
        assert!(heard.closed().is_empty(), "{status}");
    }
}

#[tokio::test]
async fn a_modern_server_is_subscribed_to_where_it_announces_changes() {
    let peer = Peer::modern(r#"{"tools":{"listChanged":true}}"#, |seen, wire| match seen.method() {
        "subscriptions/listen" => {
            let id = &seen.body["id"];
            wire.begin_events();
            wire.event(&format!(
                r#"{{"method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
            ));
            wire.event(CHANGED);
            wire.until_closed()
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, heard) = peer.connect().await;
    until("heard", || heard.notified().last().is_some_and(|last| last.contains("list_changed"))).await;
    let seen = &peer.seen("subscriptions/listen")[0];
    assert_eq!(seen.body["params"]["notifications"].to_string(), r#"{"toolsListChanged":true}"#);
    assert_eq!(seen.header("mcp-method"), "subscriptions/listen");
    upstream.request(call("t")).await.expect("beside the stream");
    upstream.close().await;
    until("closed", || peer.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_taken_up_again() {
    let peer = Peer::new(|seen, wire| match (seen.verb.as_str(), seen.header("last-event-id")) {
        ("GET", "a-2") => {
            wire.begin_events();
            wire.event(r#"{"method":"notifications/message","params":{"n":2}}"#);
            wire.chunk("id: a-3\nretry: 1\ndata: {\"method\":\"notifications/message\",\"params\":{\"n\":3}}\n\n");
            wire.end_events()
        }
        ("GET", "a-3") => {
            wire.begin_events();
            wire.event(r#"{"id":4,"result":"at last"}"#);
            wire.end_events()
        }
        ("GET", _) => wire.answer(405, "", ""),
        (_, _) if seen.method() == "tools/call" => {
            assert_eq!(seen.body["id"], 4, "the answer above has this id");
            wire.begin_events();
            wire.chunk("id: a-1\nretry: 60\ndata:\n\n");
            wire.chunk("id: a-2\ndata: {\"method\":\"notifications/message\",\"params\":{\"n\":1}}\n\n");
            wire.end_events()
        }
        _ => legacy(seen, wire).unwrap_or_else(|| wire.result(seen, "0")),
    });
    let (upstream, _heard) = peer.connect().await;
    // Ids 1 and 2 were the handshake's.
    upstream.request(gateway_core::UpstreamRequest::new("x", crate::peer::raw("{}"))).await.expect("3");
    let (listener, mut receiver) = Listener::channel(10);
    let result = upstream.request(call("t").with_listener(listener)).await.expect("a result");
    assert_eq!(result.as_str(), "\"at last\"");
    for number in 1..=3 {
        let heard = receiver.try_recv().expect("a message");
        assert_eq!(heard.params.as_str(), format!(r#"{{"n":{number}}}"#));
    }
    assert_eq!(peer.seen("tools/call").len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_continues_is_given_up() {
    let peer = Peer::new(|seen, wire| match seen.verb.as_str() {
        "GET" => {
            wire.begin_events();
            wire.chunk("retry: 1\n\n");
            wire.end_events()
        }
        _ if seen.method() == "tools/call" => {
            wire.begin_events();
            wire.chunk("id: a\nretry: 1\ndata:\n\n");
            wire.end_events()
        }
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    let (upstream, _heard) = peer.connect().await;
    let error = upstream.request(call("t")).await.expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
}
