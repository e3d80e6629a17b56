//! Giving up a request, and ending a connection.

use std::fmt::Debug;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_core::{ErrorKind, Notification, Retry};

use crate::peer::{Peer, call, connect, raw, until};

/// Polls something that hangs until `done`, and drops it.
async fn drop_when<T: Debug>(what: &str, hanging: impl Future<Output = T>, done: impl FnMut() -> bool) {
    tokio::select! {
        outcome = hanging => panic!("it does not hang: {outcome:?}"),
        () = until(what, done) => {}
    }
}

#[tokio::test]
async fn the_server_is_told_of_a_dropped_request() {
    let peer = Peer::legacy(|seen, wire| match seen.tool() {
        "hang" => wire.accept(),
        _ => wire.result(seen, "1"),
    });
    let (upstream, heard) = peer.connect().await;
    drop_when("asked", upstream.request(call("hang")), || peer.seen("tools/call").len() == 1).await;
    until("told", || peer.seen("notifications/cancelled").len() == 1).await;
    let told = &peer.seen("notifications/cancelled")[0];
    assert_eq!(told.body["params"]["requestId"], peer.seen("tools/call")[0].body["id"]);
    assert_eq!(told.header("x-custom"), "mine");
    upstream.request(call("fine")).await.expect("the connection stays good");
    assert!(heard.closed().is_empty());
    assert_eq!(peer.seen("notifications/cancelled").len(), 1);
}

#[tokio::test]
async fn a_cancellation_does_not_overtake_its_request() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let peer = Peer::legacy(move |seen, wire| match seen.tool() {
        "slow" => {
            released.lock().expect("no panic").recv().expect("released");
            wire.accept()
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, _heard) = peer.connect().await;
    drop_when("asked", upstream.request(call("slow")), || peer.seen("tools/call").len() == 1).await;
    // Its POST has come and is not answered; the connection serves others.
    upstream.request(call("fine")).await.expect("a result");
    assert!(peer.seen("notifications/cancelled").is_empty(), "the server may not have the request yet");
    release.send(()).expect("the POST waits");
    until("told", || peer.seen("notifications/cancelled").len() == 1).await;
}

#[tokio::test]
async fn a_dropped_request_that_was_refused_is_not_cancelled() {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let peer = Peer::legacy(move |seen, wire| match seen.tool() {
        "slow" => {
            released.lock().expect("no panic").recv().expect("released");
            wire.answer(503, "", "")
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, _heard) = peer.connect().await;
    drop_when("asked", upstream.request(call("slow")), || peer.seen("tools/call").len() == 1).await;
    release.send(()).expect("the POST waits");
    upstream.request(call("fine")).await.expect("a result");
    upstream.close().await;
    until("all sockets closed", || peer.is_quiet()).await;
    assert!(peer.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn closing_ends_everything_under_way() {
    let peer = Peer::legacy(|seen, wire| match seen.tool() {
        // One waits for its answer, one for the answer to its POST.
        "hang" => wire.accept(),
        _ => wire.until_closed(),
    });
    let (upstream, heard) = peer.connect().await;
    let asked = ["hang", "hang-in-post"].map(|name| {
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move { upstream.request(call(name)).await })
    });
    until("under way", || peer.seen("tools/call").len() == 2).await;
    let closing = async { tokio::join!(upstream.close(), upstream.close()) };
    tokio::time::timeout(Duration::from_secs(3), closing).await.expect("nothing is waited for");
    for asked in asked {
        let error = asked.await.expect("no panic").expect_err("closed");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, Retry::IfIdempotent));
    }
    let late = upstream.request(call("t")).await.expect_err("closed");
    assert_eq!((late.kind(), late.retry()), (ErrorKind::Unavailable, Retry::Safe));
    let changed = Notification { method: "notifications/roots/list_changed".to_owned(), params: raw("{}") };
    assert_eq!(upstream.notify(changed).await.expect_err("closed").kind(), ErrorKind::Unavailable);
    until("all sockets closed", || peer.is_quiet()).await;
    assert!(heard.closed().is_empty());
    assert!(peer.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn a_dropped_handshake_leaves_nothing() {
    for hangs_at in ["GET", "POST"] {
        let peer = Peer::new(move |seen, wire| match seen.verb.as_str() {
            verb if verb == hangs_at => wire.until_closed(),
            _ => crate::peer::legacy(seen, wire).expect("a GET"),
        });
        drop_when("asked", connect(peer.spec()), || !peer.verbs(hangs_at).is_empty()).await;
        until("all sockets closed", || peer.is_quiet()).await;
        assert!(peer.seen("notifications/cancelled").is_empty(), "`initialize` is never cancelled");
    }
}

#[tokio::test]
async fn a_dropped_connection_leaves_nothing() {
    let peer = Peer::legacy(|seen, wire| wire.result(seen, "1"));
    let (upstream, heard) = peer.connect().await;
    upstream.request(call("t")).await.expect("a result");
    drop(upstream);
    until("all sockets closed", || peer.is_quiet()).await;
    assert!(heard.closed().is_empty());
}
