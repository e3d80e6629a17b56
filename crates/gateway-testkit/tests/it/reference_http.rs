//! The reference server keeps its word over HTTP, as a process of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use gateway_testkit::reference::{ODD_RESULT, ReferenceProcess};

const GREETING: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
pub(super) const MODERN: &str = "MCP-Protocol-Version: 2026-07-28";

/// Sends one request on a connection of its own and returns head and body as they came.
pub(super) fn send(server: &ReferenceProcess, method: &str, headers: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let request = format!(
        "{method} /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

pub(super) fn post(server: &ReferenceProcess, headers: &[&str], body: &str) -> String {
    send(server, "POST", headers, body)
}

/// The headers of a session whose handshake is done.
pub(super) fn greeted(server: &ReferenceProcess) -> [String; 2] {
    let answer = post(server, &[], GREETING);
    let session = answer.lines().find(|line| line.starts_with("mcp-session-id")).expect("a session").to_owned();
    let headers = [session, "MCP-Protocol-Version: 2025-11-25".to_owned()];
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let answer = post(server, &headers.each_ref().map(String::as_str), initialized);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    headers
}

#[test]
fn a_session_is_opened_checked_and_ended() {
    let server = ReferenceProcess::http(&[]);
    let headers = greeted(&server);
    let headers = headers.each_ref().map(String::as_str);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd"}}"#;
    assert!(post(&server, &headers, call).ends_with(&format!(r#""id":1,"result":{ODD_RESULT}}}"#)));

    for (headers, expected) in [
        (vec![headers[1]], "HTTP/1.1 400"),
        (vec![headers[0]], "HTTP/1.1 400"),
        (vec!["Mcp-Session-Id: nobody", headers[1]], "HTTP/1.1 404"),
        (vec!["Origin: http://evil.example"], "HTTP/1.1 403"),
        (vec![MODERN], "HTTP/1.1 400"),
    ] {
        let answer = post(&server, &headers, call);
        assert!(answer.starts_with(expected), "{headers:?}: {answer}");
    }
    assert!(send(&server, "DELETE", &headers, "").starts_with("HTTP/1.1 200"));
    assert!(post(&server, &headers, call).starts_with("HTTP/1.1 404"));
}

#[test]
fn notifications_turn_an_answer_into_a_stream() {
    let server = ReferenceProcess::http(&[]);
    let headers = greeted(&server);
    let headers = headers.each_ref().map(String::as_str);
    let params = r#"{"name":"progress","arguments":{"steps":2},"_meta":{"progressToken":7}}"#;
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let answer = post(&server, &headers, &call);
    assert!(answer.contains("text/event-stream"), "{answer}");
    let places: Vec<_> = ["step 1", "step 2", r#""id":1,"result""#].map(|text| answer.find(text)).into();
    assert!(places.is_sorted() && places[0].is_some(), "{answer}");
}

#[test]
fn modern_headers_must_equal_the_body() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"odd",{meta}}}}}"#);
    for (headers, expected) in [
        (vec![MODERN, "Mcp-Method: tools/call", "Mcp-Name: odd"], "HTTP/1.1 200"),
        (vec![MODERN, "Mcp-Method: tools/list", "Mcp-Name: odd"], "-32020"),
        (vec![MODERN, "Mcp-Method: tools/call", "Mcp-Name: echo"], "-32020"),
        (vec![MODERN, "Mcp-Method: tools/call"], "-32020"),
    ] {
        let answer = post(&server, &headers, &call);
        assert!(answer.contains(expected), "{headers:?}: {answer}");
    }
    let unknown = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"no/such","params":{{{meta}}}}}"#);
    assert!(post(&server, &[MODERN, "Mcp-Method: no/such"], &unknown).starts_with("HTTP/1.1 404"));
    // The other era at the same door.
    greeted(&server);
}
