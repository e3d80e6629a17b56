//! Requests, and the answers that come back to their callers.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use gateway_core::{Era, ErrorKind, Listener, Notification, Retry, UpstreamRequest};

use crate::peer::{Next, Peer, Seen, call, raw, until};

const ODD: &str = r#"{ "z":1.50e+1, "content":[{"type":"x-new"}],"a":[ ],"big":123456789012345678901234567890 }"#;

#[tokio::test]
async fn a_call_goes_to_the_endpoint_and_its_bytes_come_back() {
    let peer = Peer::legacy(|seen, wire| wire.result(seen, ODD));
    let (upstream, heard) = peer.connect().await;
    assert_eq!((upstream.info().era, upstream.info().protocol_version.as_str()), (Era::Legacy, "2024-11-05"));

    let params = r#"{"name":"t","arguments":{"n":1.0,  "b":[]}}"#;
    let result = upstream.request(UpstreamRequest::new("tools/call", raw(params))).await;
    assert_eq!(result.expect("a result").as_str(), ODD);
    let changed = Notification { method: "notifications/roots/list_changed".to_owned(), params: raw("{}") };
    upstream.notify(changed).await.expect("taken");

    let gets = peer.verbs("GET");
    assert_eq!(gets.len(), 1);
    assert_eq!((gets[0].path.as_str(), gets[0].header("accept")), ("/a/sse?k=v", "text/event-stream"));
    let posts = peer.verbs("POST");
    let methods: Vec<_> = posts.iter().map(Seen::method).collect();
    let expected =
        ["initialize", "notifications/initialized", "tools/call", "notifications/roots/list_changed"].as_slice();
    assert_eq!(methods, expected, "whatever is remembered, `server/discover` is not asked first");
    for post in &posts {
        assert_eq!((post.path.as_str(), post.header("content-type")), ("/message?s=1", "application/json"));
    }
    for seen in peer.all() {
        assert_eq!(seen.header("host"), peer.address.to_string());
        assert_eq!(seen.header("x-custom"), "mine", "{seen:?}");
        assert!(seen.header("user-agent").starts_with("mcp-gateway/"), "{seen:?}");
    }
    assert!(posts[2].text.contains(params), "{}", posts[2].text);
    assert_eq!(posts[0].body["params"]["capabilities"].to_string(), r#"{"roots":{}}"#);
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn progress_comes_in_wire_order_and_before_the_result() {
    let peer = Peer::legacy(|seen, wire| {
        let token = &seen.body["params"]["_meta"]["progressToken"];
        let mut stream = String::from(": hello\r\n\r\nid: 7\r\ndata:\r\n\r\nevent: x\r\ndata: y\r\n\r\n");
        for step in 0..20 {
            stream += &format!(
                "event: message\r\ndata: {{\"method\":\"notifications/progress\",\r\ndata: \"params\":{{\"progressToken\":{token},\"progress\":{step}}}}}\r\n\r\n"
            );
        }
        stream += "data: {\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"}}\n\n";
        stream += "data: no message\n\nevent: endpoint\ndata: http://evil.example/\n\n";
        let id = &seen.body["id"];
        stream += &format!(
            "data: [{{\"method\":\"notifications/tools/list_changed\"}}, 5, {{\"id\":{id},\"result\":1}}]\n\n"
        );
        // Three bytes at a time, so that every line, end and character is cut somewhere.
        stream.as_bytes().chunks(3).for_each(|piece| wire.on_stream(piece));
        wire.accept()
    });
    let (upstream, heard) = peer.connect().await;
    for _ in 0..2 {
        let (listener, mut receiver) = Listener::channel(100);
        let result = upstream.request(call("t").with_listener(listener)).await.expect("a result");
        assert_eq!(result.as_str(), "1");
        for step in 0..20 {
            let progress = receiver.try_recv().expect("before the result");
            assert!(progress.params.as_str().ends_with(&format!("\"progress\":{step}}}")));
        }
        assert_eq!(receiver.try_recv().expect("a log message").method, "notifications/message");
        assert!(receiver.try_recv().is_err());
    }
    assert_eq!(heard.notified(), ["notifications/tools/list_changed {}"; 2]);
    // An endpoint that comes late moves nothing.
    assert!(peer.verbs("POST").iter().all(|post| post.path == "/message?s=1"));
}

#[tokio::test]
async fn answers_and_posts_come_in_any_order() {
    // The first call's POST is answered when the second one comes, on another connection.
    let (release, released) = mpsc::channel();
    let (release, released) = (Mutex::new(release), Mutex::new(released));
    let peer = Peer::legacy(move |seen, wire| {
        match seen.tool() {
            "first" => {
                wire.message(&format!(r#"{{"id":"{}","result":"early"}}"#, seen.body["id"]));
                released.lock().expect("no panic").recv().expect("the second call");
            }
            _ => {
                wire.message(&format!(r#"{{"id":{},"result":"beside"}}"#, seen.body["id"]));
                release.lock().expect("no panic").send(()).expect("the first call waits");
            }
        }
        wire.accept()
    });
    let (upstream, _heard) = peer.connect().await;
    assert_eq!(upstream.request(call("first")).await.expect("a result").as_str(), "\"early\"");
    assert_eq!(upstream.request(call("second")).await.expect("a result").as_str(), "\"beside\"");
    upstream.close().await;
    until("all sockets closed", || peer.is_quiet()).await;
    assert!(peer.seen("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn questions_of_the_server_are_answered_beside() {
    let peer = Peer::legacy(|seen, wire| {
        if seen.body.get("method").is_none() {
            return wire.accept();
        }
        wire.message(r#"{"id":"p","method":"ping"}"#);
        wire.message(r#"{"id":1.50,"method":"sampling/createMessage","params":{"n":1.0}}"#);
        wire.message(r#"{"id":3,"method":"roots/list"}"#);
        wire.message(r#"{"id":4,"method":"never"}"#);
        wire.message(r#"{"id":5,"method":"never"}"#);
        wire.message(r#"{"method":"notifications/cancelled","params":{"requestId":4}}"#);
        wire.result(seen, "\"done\"")
    });
    let (upstream, _heard) = peer.connect().await;
    assert_eq!(upstream.request(call("t")).await.expect("a result").as_str(), "\"done\"");
    let answers = || -> Vec<String> {
        let answers = peer.all().into_iter().filter(|seen| seen.verb == "POST" && seen.method().is_empty());
        let mut texts: Vec<_> = answers.map(|seen| seen.text).collect();
        texts.sort();
        texts
    };
    until("three answers", || answers().len() == 3).await;
    assert_eq!(
        answers(),
        [
            r#"{"jsonrpc":"2.0","id":"p","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1.50,"result":{"n":1.0}}"#,
            r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"nobody answers `roots/list`"}}"#,
        ]
    );
    // The question that is never answered does not hold up the end.
    upstream.close().await;
}

#[tokio::test]
async fn a_refused_post_fails_its_own_request() {
    let peer = Peer::legacy(|seen, wire| {
        let (status, headers) = match seen.tool() {
            "hang" => return wire.accept(),
            "fine" => return wire.result(seen, "1"),
            "400-json" => (400, "content-type: application/json\r\n"),
            "429" => (429, "retry-after: 7\r\n"),
            "307" => (307, "location: http://127.0.0.1:1/other\r\n"),
            status => (status.parse().expect("a status"), ""),
        };
        let id = &seen.body["id"];
        wire.answer(status, headers, &format!(r#"{{"id":{id},"error":{{"code":-32602,"message":"bad params"}}}}"#))
    });
    let (upstream, heard) = peer.connect().await;
    let other = tokio::spawn({
        let upstream = Arc::clone(&upstream);
        async move { upstream.request(call("hang")).await }
    });
    until("under way", || peer.seen("tools/call").len() == 1).await;
    let (failed, never) = (ErrorKind::UpstreamFailed, Retry::Never);
    for (name, kind, retry, words) in [
        ("400", ErrorKind::InvalidArguments, never, "bad params"),
        ("400-json", ErrorKind::InvalidArguments, never, "bad params"),
        ("401", failed, never, "Authorization"),
        ("403", failed, never, "403"),
        ("429", ErrorKind::RateLimited, never, "429"),
        ("503", ErrorKind::Unavailable, Retry::IfIdempotent, "503"),
    ] {
        let error = upstream.request(call(name)).await.expect_err(name);
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{name}: {error:?}");
        assert!(error.message().contains(words), "{error}");
        assert!(error.details().is_some_and(|details| details.as_str().contains("bad params")), "{error:?}");
        assert_eq!(error.retry_after_ms(), (name == "429").then_some(7000));
        upstream.request(call("fine")).await.expect("the connection stays good");
    }
    assert!(!other.is_finished());
    assert!(heard.closed().is_empty());
    assert!(peer.seen("notifications/cancelled").is_empty());
    upstream.close().await;
    other.await.expect("no panic").expect_err("closed");
}

#[tokio::test]
async fn refusals_without_words_say_what_to_do() {
    let peer = Peer::legacy(|seen, wire| {
        let status = seen.tool().parse().expect("a status");
        if status == 500 {
            wire.raw("HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n");
            while wire.raw("4\r\nxxxx\r\n") == Next::Keep {}
            return Next::Close;
        }
        wire.answer(status, "", "<html>sorry</html>")
    });
    let (upstream, heard) = peer.connect().await;
    for (name, retry, words) in [
        ("302", Retry::Never, "redirects"),
        ("400", Retry::Never, "400"),
        ("405", Retry::Never, "405"),
        ("500", Retry::IfIdempotent, "500"),
    ] {
        let error = upstream.request(call(name)).await.expect_err(name);
        assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamFailed, retry), "{name}: {error:?}");
        assert!(error.message().contains(words), "{error}");
    }
    assert!(heard.closed().is_empty());
}
