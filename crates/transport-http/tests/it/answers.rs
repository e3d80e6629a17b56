//! Requests, and the answers that come back to their callers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gateway_core::{Era, ErrorKind, Listener, UpstreamRequest};

use crate::peer::{Next, Peer, call, connect, raw, until};

const ODD: &str = r#"{ "z":1.50e+1, "content":[{"type":"x-new"}],"a":[ ],"big":123456789012345678901234567890 }"#;

#[tokio::test]
async fn a_legacy_server_gets_what_it_needs_and_its_bytes_come_back() {
    let peer = Peer::legacy(|seen, wire| wire.result(seen, ODD));
    let (upstream, heard) = peer.connect().await;
    assert_eq!(upstream.info().era, Era::Legacy);
    assert_eq!(upstream.info().protocol_version, "2025-11-25");
    assert!(upstream.info().server_info.as_ref().expect("said").as_str().contains("peer"));

    let params = r#"{"name":"t","arguments":{"n":1.0,  "b":[]}}"#;
    let request = UpstreamRequest::new("tools/call", raw(params));
    assert_eq!(upstream.request(request).await.expect("a result").as_str(), ODD);

    let seen = &peer.seen("tools/call")[0];
    assert!(seen.text.contains(params), "{}", seen.text);
    assert_eq!(seen.path, "/mcp?k=v");
    for (name, value) in [
        ("host", peer.address.to_string().as_str()),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-session-id", "s1"),
        ("mcp-protocol-version", "2025-11-25"),
        ("x-custom", "mine"),
        ("mcp-method", ""),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let initialize = &peer.seen("initialize")[0];
    assert_eq!(initialize.header("mcp-protocol-version"), "");
    assert_eq!(initialize.body["params"]["protocolVersion"], "2025-11-25");
    let initialized = &peer.seen("notifications/initialized")[0];
    assert_eq!(initialized.header("mcp-session-id"), "s1");
    assert_eq!(initialized.header("mcp-protocol-version"), "2025-11-25");
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn a_modern_server_gets_headers_that_match_the_body() {
    let peer = Peer::modern("{}", |seen, wire| wire.result(seen, ODD));
    let (upstream, _heard) = peer.connect().await;
    assert_eq!(upstream.info().era, Era::Modern);
    let (listener, _receiver) = Listener::channel(1);
    upstream.request(call("größe").with_listener(listener)).await.expect("a result");
    upstream.request(UpstreamRequest::new("tools/list", raw("{}"))).await.expect("a result");

    let seen = &peer.seen("tools/call")[0];
    assert_eq!(seen.header("mcp-protocol-version"), "2026-07-28");
    assert_eq!(seen.header("mcp-method"), "tools/call");
    assert_eq!(seen.header("mcp-name"), "=?base64?Z3LDtsOfZQ==?=");
    assert_eq!(seen.header("mcp-session-id"), "");
    let meta = &seen.body["params"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "mcp-gateway");
    assert!(meta["io.modelcontextprotocol/clientCapabilities"].is_object());
    assert_eq!(meta["progressToken"], seen.body["id"]);
    let list = &peer.seen("tools/list")[0];
    assert_eq!((list.header("mcp-method"), list.header("mcp-name")), ("tools/list", ""));
    assert!(list.body["params"]["_meta"].get("progressToken").is_none());
    assert!(peer.seen("initialize").is_empty());
    assert!(peer.verbs("GET").is_empty());
}

#[tokio::test]
async fn the_remembered_era_saves_the_probe() {
    let peer = Peer::legacy(|seen, wire| wire.result(seen, "{}"));
    connect(peer.spec(), Some(Era::Legacy)).await.expect("a connection");
    assert!(peer.seen("server/discover").is_empty());
}

#[tokio::test]
async fn progress_comes_in_wire_order_and_before_the_result() {
    let peer = Peer::legacy(|seen, wire| {
        let token = &seen.body["params"]["_meta"]["progressToken"];
        let mut stream = String::from("\u{feff}: hello\r\n\r\nid: 1\r\ndata:\r\n\r\n");
        for step in 0..20 {
            stream += &format!(
                "event: message\r\ndata: {{\"method\":\"notifications/progress\",\r\ndata: \"params\":{{\"progressToken\":{token},\"progress\":{step}}}}}\r\n\r\n"
            );
        }
        stream += "data: {\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"}}\n\n";
        stream += "data: {\"method\":\"notifications/tools/list_changed\"}\n\ndata: no message\n\n";
        stream += &format!("data: {{\"id\":{},\"result\":{{\"late\":false}}}}\n\n", seen.body["id"]);
        wire.begin_events();
        // Three bytes at a time, so that every line, end and character is cut somewhere.
        for piece in stream.as_bytes().chunks(3) {
            wire.raw(format!("{:x}\r\n", piece.len()));
            wire.raw(piece);
            wire.raw("\r\n");
        }
        wire.end_events()
    });
    let (upstream, heard) = peer.connect().await;
    let (listener, mut receiver) = Listener::channel(100);
    let result = upstream.request(call("t").with_listener(listener)).await.expect("a result");
    assert_eq!(result.as_str(), r#"{"late":false}"#);
    for step in 0..20 {
        let progress = receiver.try_recv().expect("before the result");
        assert!(progress.params.as_str().ends_with(&format!("\"progress\":{step}}}")));
    }
    assert_eq!(receiver.try_recv().expect("a log message").method, "notifications/message");
    assert!(receiver.try_recv().is_err());
    let heard = heard.notified().join(", ");
    assert_eq!(heard, "notifications/tools/list_changed {}");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let peer = Peer::legacy(|seen, wire| match seen.body["params"]["name"].as_str() {
        Some("chunked") => {
            let body = format!(r#"{{"id":{},"result":"chunked"}}"#, seen.body["id"]);
            wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
            for piece in body.as_bytes().chunks(5) {
                wire.chunk(std::str::from_utf8(piece).expect("text"));
            }
            wire.end_events()
        }
        Some("events") => {
            wire.begin_events();
            wire.event(&format!(r#"{{"id":{},"result":"events"}}"#, seen.body["id"]));
            std::thread::sleep(std::time::Duration::from_millis(20));
            wire.end_events()
        }
        _ => wire.result(seen, "\"plain\""),
    });
    let (upstream, _heard) = peer.connect().await;
    // The GET stream was refused on a connection of its own.
    until("GET", || !peer.verbs("GET").is_empty()).await;
    let before = peer.connections();
    for name in ["plain", "chunked", "plain", "chunked", "plain"] {
        let result = upstream.request(call(name)).await.expect("a result");
        assert_eq!(result.as_str(), format!("\"{name}\""));
    }
    assert_eq!(peer.connections(), before);
    for _ in 0..5 {
        assert_eq!(upstream.request(call("events")).await.expect("a result").as_str(), "\"events\"");
        // The end of that stream is read behind the caller's back.
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    assert!(peer.connections() <= before + 1, "{} connections", peer.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_callers_get_their_own_answers() {
    let peer = Peer::legacy(|seen, wire| {
        let name = &seen.body["params"]["name"];
        std::thread::sleep(std::time::Duration::from_millis(1));
        if seen.body["id"].as_i64().unwrap_or(0) % 2 == 0 {
            return wire.result(seen, &format!(r#"{{"for":{name}}}"#));
        }
        wire.begin_events();
        let token = &seen.body["params"]["_meta"]["progressToken"];
        wire.event(&format!(
            r#"{{"method":"notifications/progress","params":{{"progressToken":{token},"of":{name}}}}}"#
        ));
        wire.event(&format!(r#"{{"id":{},"result":{{"for":{name}}}}}"#, seen.body["id"]));
        wire.end_events()
    });
    let (upstream, _heard) = peer.connect().await;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..200 {
        let upstream = Arc::clone(&upstream);
        callers.spawn(async move {
            for round in 0..5 {
                let name = format!("caller {number} {round}");
                let (listener, mut receiver) = Listener::channel(4);
                let request = call(&name).with_listener(listener);
                let result = upstream.request(request).await.expect("a result");
                assert_eq!(result.as_str(), format!(r#"{{"for":"{name}"}}"#));
                while let Ok(progress) = receiver.try_recv() {
                    assert!(progress.params.as_str().contains(&name));
                }
            }
        });
    }
    while let Some(outcome) = callers.join_next().await {
        outcome.expect("no panic");
    }
    assert!(peer.connections() <= 205, "{} connections", peer.connections());
    upstream.close().await;
    until("all sockets closed", || peer.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn errors_of_the_server_reach_the_caller_whole() {
    let error = r#"{"code":-32602,"message":"no such tool","data":{"odd":1.0}}"#;
    let peer = Peer::modern("{}", move |seen, wire| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, seen.body["id"]);
        let status = if seen.method() == "tools/call" { 400 } else { 200 };
        wire.answer(status, "content-type: application/json\r\n", &body)
    });
    let (upstream, heard) = peer.connect().await;
    for method in ["tools/call", "prompts/get"] {
        let request = UpstreamRequest::new(method, raw(r#"{"name":"n"}"#));
        let failed = upstream.request(request).await.expect_err("an error");
        assert_eq!(failed.kind(), ErrorKind::InvalidArguments, "{method}");
        assert_eq!(failed.details().expect("the object").as_str(), error);
        assert!(failed.message().contains("no such tool"));
    }
    assert!(heard.closed().is_empty());
}

#[tokio::test]
async fn a_batch_is_taken_apart() {
    let peer = Peer::legacy(|seen, wire| {
        let id = &seen.body["id"];
        wire.json(&format!(r#"[{{"method":"notifications/x"}}, 5, {{"id":{id},"result":1}}, {{"id":77,"result":2}}]"#))
    });
    let (upstream, heard) = peer.connect().await;
    assert_eq!(upstream.request(call("t")).await.expect("a result").as_str(), "1");
    assert_eq!(heard.notified(), ["notifications/x {}"]);
}

#[tokio::test]
async fn questions_of_the_server_are_answered_beside() {
    let peer = Peer::legacy(|seen, wire| {
        if seen.verb == "POST" && seen.body.get("method").is_none() {
            return wire.answer(202, "", "");
        }
        wire.begin_events();
        wire.event(r#"{"id":"p","method":"ping"}"#);
        wire.event(r#"{"id":1.50,"method":"sampling/createMessage","params":{"n":1.0}}"#);
        wire.event(r#"{"id":3,"method":"roots/list"}"#);
        wire.event(r#"{"id":4,"method":"never"}"#);
        // A real server would wait for the answers here.
        wire.event(&format!(r#"{{"id":{},"result":"done"}}"#, seen.body["id"]));
        wire.end_events()
    });
    let (upstream, _heard) = peer.connect().await;
    assert_eq!(upstream.request(call("t")).await.expect("a result").as_str(), "\"done\"");
    let answers = || -> Vec<String> {
        let mut texts: Vec<_> =
            peer.seen("").into_iter().filter(|seen| seen.verb == "POST").map(|seen| seen.text).collect();
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
async fn large_answers_come_whole() {
    let text = "x".repeat(90_000);
    let peer = Peer::legacy(move |seen, wire| match seen.method() {
        "chunked" => {
            wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
            wire.chunk(&format!(r#"{{"id":{},"result":""#, seen.body["id"]));
            for piece in text.as_bytes().chunks(10_000) {
                wire.chunk(std::str::from_utf8(piece).expect("text"));
            }
            wire.chunk("\"}");
            wire.end_events()
        }
        // The end of the connection is the end of the body.
        "until-closed" => {
            wire.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n");
            wire.raw(format!(r#"{{"id":{},"result":"{text}"}}"#, seen.body["id"]));
            Next::Close
        }
        _ => wire.result(seen, &format!("\"{text}\"")),
    });
    let (upstream, _heard) = peer.connect().await;
    for method in ["plain", "chunked", "until-closed", "plain"] {
        let result = upstream.request(UpstreamRequest::new(method, raw("{}"))).await;
        assert_eq!(result.expect(method).as_bytes().len(), 90_002, "{method}");
    }
    let params = raw(format!(r#"{{"big":"{}"}}"#, "y".repeat(5_000_000)));
    upstream.request(UpstreamRequest::new("plain", params)).await.expect("a large request");
    assert_eq!(peer.seen("plain")[2].body["params"]["big"].as_str().map(str::len), Some(5_000_000));
}
