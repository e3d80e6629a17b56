//! Servers that break the rules, and what is left open after them.

use gateway_core::{ErrorKind, Retry, Transport, UpstreamRequest};

use crate::peer::{Next, Peer, call, connect, legacy, raw, spec, until};

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_nothing() {
    let peer = Peer::legacy(|seen, wire| {
        wire.result(seen, "1");
        Next::Close
    });
    let (upstream, _heard) = peer.connect().await;
    for number in 1..=20 {
        upstream.request(call("t")).await.expect("a result");
        let ended = || peer.connections() - peer.open.load(std::sync::atomic::Ordering::SeqCst);
        until("closed", || ended() == number).await;
    }
    assert_eq!(peer.seen("tools/call").len(), 20);
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_not_sent_again() {
    let peer = Peer::legacy(|seen, wire| match seen.body["params"]["name"].as_str() {
        Some("die") => Next::Close,
        Some("die-in-head") => {
            wire.raw("HTTP/1.1 200 OK\r\nconte");
            Next::Close
        }
        Some("die-in-body") => {
            wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{");
            Next::Close
        }
        Some("die-in-stream") => {
            wire.begin_events();
            wire.event(r#"{"method":"notifications/x"}"#);
            Next::Close
        }
        _ => wire.result(seen, "1"),
    });
    let (upstream, heard) = peer.connect().await;
    for name in ["die", "die-in-head", "die-in-body", "die-in-stream"] {
        upstream.request(call("fine")).await.expect("a kept connection");
        let error = upstream.request(call(name)).await.expect_err(name);
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::UpstreamFailed, Retry::IfIdempotent),
            "{name}: {error:?}"
        );
    }
    assert_eq!(peer.seen("tools/call").len(), 8);
    assert!(peer.seen("notifications/cancelled").is_empty());
    upstream.request(call("fine")).await.expect("still good");
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn a_lost_session_is_told_once_and_may_be_retried() {
    let answers: [(u16, &str); 3] = [
        (404, ""),
        (404, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"gone"}}"#),
        (400, r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}"#),
    ];
    for (status, body) in answers {
        let peer = Peer::legacy(move |_, wire| wire.answer(status, "content-type: application/json\r\n", body));
        let (upstream, heard) = peer.connect().await;
        for _ in 0..3 {
            let error = upstream.request(call("t")).await.expect_err("lost");
            assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
        }
        assert_eq!(heard.closed(), ["cannot reach the server: it has ended our session"]);
        assert_eq!(peer.seen("tools/call").len(), 1, "{status}");
        upstream.close().await;
        assert!(peer.verbs("DELETE").is_empty());
    }
}

#[tokio::test]
async fn not_every_refusal_is_a_lost_session() {
    let peer = Peer::legacy(|seen, wire| {
        let code = seen.body["params"]["name"].as_str().unwrap_or("").to_owned();
        let status = if code == "-32601" { 404 } else { 400 };
        let body =
            format!(r#"{{"id":{},"error":{{"code":{code},"message":"no such session tool"}}}}"#, seen.body["id"]);
        wire.answer(status, "content-type: application/json\r\n", &body)
    });
    let (upstream, heard) = peer.connect().await;
    for code in ["-32601", "-32602"] {
        let error = upstream.request(call(code)).await.expect_err("refused");
        assert_ne!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    }
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let peer = Peer::legacy(|seen, wire| {
        let id = &seen.body["id"];
        match seen.method() {
            "announced" => {
                wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100001\r\n\r\n")
            }
            "endless" => {
                wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
                while wire.chunk(&"x".repeat(10_000)) == Next::Keep {}
                return Next::Close;
            }
            "endless-event" => {
                wire.begin_events();
                while wire.chunk("data: xxxxxxxxxxxxxxxxxxxxxxxxxxx\n") == Next::Keep {}
                return Next::Close;
            }
            "endless-line" => {
                wire.begin_events();
                while wire.chunk(&"x".repeat(10_000)) == Next::Keep {}
                return Next::Close;
            }
            "endless-refusal" => {
                wire.raw("HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n");
                while wire.chunk(&"x".repeat(10_000)) == Next::Keep {}
                return Next::Close;
            }
            _ => return wire.json(&format!(r#"{{"id":{id},"result":1}}"#)),
        };
        wire.until_closed()
    });
    let (upstream, _heard) = peer.connect().await;
    for method in ["announced", "endless", "endless-event", "endless-line", "endless-refusal"] {
        let error = upstream.request(UpstreamRequest::new(method, raw("{}"))).await.expect_err(method);
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{method}");
        assert_eq!(error.message().contains("max_message_bytes"), method != "endless-refusal");
    }
    upstream.request(UpstreamRequest::new("fine", raw("{}"))).await.expect("still good");
    upstream.close().await;
    until("closed", || peer.open.load(std::sync::atomic::Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn nonsense_is_an_error_of_the_server() {
    const HEAD: &str = "content-type: application/json\r\n";
    let peer = Peer::legacy(|seen, wire| {
        let id = &seen.body["id"];
        match seen.method() {
            "other-id" => wire.json(r#"{"id":123456,"result":"somebody else's"}"#),
            "null-id" => wire.json(r#"{"id":null,"result":"nobody's"}"#),
            "garbage" => wire.json("<html>"),
            "empty" => wire.json(""),
            "accepted" => wire.answer(202, "", ""),
            "html" => wire.answer(200, "content-type: text/html\r\n", "<html>"),
            "gzip" => {
                wire.answer(200, &format!("{HEAD}content-encoding: gzip\r\n"), &format!(r#"{{"id":{id},"result":1}}"#))
            }
            "no-http" => {
                wire.raw("SSH-2.0-OpenSSH\r\n\r\n");
                Next::Close
            }
            "stream-of-others" => {
                wire.begin_events();
                wire.event(r#"{"id":123456,"result":"somebody else's"}"#);
                wire.event("[]");
                wire.end_events()
            }
            _ => wire.json(&format!(r#"{{"id":{id},"result":1}}"#)),
        }
    });
    let (upstream, heard) = peer.connect().await;
    for method in ["other-id", "null-id", "garbage", "empty", "accepted", "html", "gzip", "no-http", "stream-of-others"]
    {
        let error = upstream.request(UpstreamRequest::new(method, raw("{}"))).await.expect_err(method);
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed, "{method}");
    }
    let fine = upstream.request(UpstreamRequest::new("fine", raw("{}"))).await;
    assert_eq!(fine.expect("still good").as_str(), "1");
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let check = async |status: u16, headers: &'static str, kind: ErrorKind, retry: Retry, text: &str| {
        let peer = Peer::legacy(move |_, wire| wire.answer(status, headers, "sorry"));
        let (upstream, _heard) = peer.connect().await;
        let error = upstream.request(call("t")).await.expect_err("refused");
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{status}");
        assert!(error.message().contains(text), "{error}");
        assert_eq!(peer.seen("tools/call").len(), 1);
        error
    };
    let (failed, never) = (ErrorKind::UpstreamFailed, Retry::Never);
    check(401, "", failed, never, "Authorization").await;
    check(403, "", failed, never, "403").await;
    check(307, "location: http://127.0.0.1:1/other\r\n", failed, never, "http://127.0.0.1:1/other").await;
    check(301, "", failed, never, "redirects").await;
    check(405, "", failed, never, "endpoint").await;
    check(500, "", failed, Retry::IfIdempotent, "500").await;
    check(418, "", failed, never, "418").await;
    check(503, "", ErrorKind::Unavailable, Retry::IfIdempotent, "503").await;
    let later = check(429, "retry-after: 7\r\n", ErrorKind::RateLimited, Retry::Never, "429").await;
    assert_eq!(later.retry_after_ms(), Some(7000));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error = connect(spec(&format!("http://{address}/")), None).await.expect_err("nobody");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.message().contains("refused"), "{error}");

    let peer = Peer::new(|_, _| Next::Close);
    let url = format!("https://{}/", peer.address);
    let error = connect(spec(&url), None).await.expect_err("no TLS");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");

    let error = connect(spec("ftp://127.0.0.1/"), None).await.expect_err("no such scheme");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn a_handshake_that_fails_says_why() {
    let check = async |status: u16, body: &'static str, text: &str| {
        let peer = Peer::new(move |_, wire| wire.answer(status, "content-type: application/json\r\n", body));
        let error = connect(peer.spec(), None).await.expect_err("refused");
        assert!(error.message().contains(text), "{error}");
        until("closed", || peer.open.load(std::sync::atomic::Ordering::SeqCst) == 0).await;
    };
    check(404, "", "no Streamable HTTP endpoint").await;
    check(401, "", "credentials").await;
    check(200, "[]", "not asked").await;
    check(503, "", "503").await;

    let peer = Peer::new(|seen, wire| match seen.method() {
        "initialize" => wire.result(seen, r#"{"protocolVersion":"1999-01-01"}"#),
        _ => wire.answer(404, "", ""),
    });
    let error = connect(peer.spec(), None).await.expect_err("too old");
    assert!(error.message().contains("1999-01-01"), "{error}");
}

#[tokio::test]
async fn a_session_id_must_be_visible_ascii() {
    let peer = Peer::new(|seen, wire| match seen.method() {
        "initialize" => wire.answer(
            200,
            "content-type: application/json\r\nmcp-session-id: a\tb\r\n",
            &format!(r#"{{"id":{},"result":{{"protocolVersion":"2025-11-25"}}}}"#, seen.body["id"]),
        ),
        _ => legacy(seen, wire).unwrap_or(Next::Close),
    });
    let error = connect(peer.spec(), None).await.expect_err("a bad id");
    assert!(error.message().contains("session id"), "{error}");
}

#[test]
fn the_transport_has_a_name() {
    let transport = transport_http::HttpTransport::new(transport_http::HttpConfig::default());
    assert_eq!(transport.name(), "http");
}
