//! The door in front of a gateway elsewhere.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use gateway_testkit::reference::ReferenceProcess;
use rustix::process::Signal;

use crate::program::{LONG, Place, Running};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

/// Starts it and returns its address.
fn start(place: &Place, url: &str) -> (Running, String) {
    let mut running = place.start(&["--gateway-url", url, "--port", "0"]);
    let line = running.logged("listening on http://");
    let address = line.split("http://").nth(1).unwrap().to_owned();
    (running, address)
}

pub(crate) fn post(address: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let length = body.len();
    let head = "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\nConnection: close\r\n";
    write!(stream, "POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}{headers}Content-Length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_passes_requests_on_and_stops_in_order() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    for signal in [Signal::TERM, Signal::INT] {
        let (mut running, address) = start(&Place::new(), server.url());
        let answer = post(&address, "/mcp", "", INITIALIZE);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("mcp-session-id: "), "{answer}");
        assert!(answer.contains("Reference server"), "{answer}");
        // Nobody waits for its input.
        running.signal(signal);
        assert_eq!(running.end().code(), Some(0));
        assert_eq!(running.rest(), Vec::<String>::new());
    }
}

#[test]
fn its_own_key_is_asked_for() {
    let server = ReferenceProcess::http(&[]);
    let place = Place::new().variable("GATEWAY_API_KEY", "0123456789abcdef");
    let (_running, address) = start(&place, server.url());
    assert!(post(&address, "/mcp", "", INITIALIZE).starts_with("HTTP/1.1 401"));
    assert!(post(&address, "/mcp", "X-API-Key: 0123456789abcdef\r\n", INITIALIZE).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_gateway_that_is_down_is_told_of() {
    let (_running, address) = start(&Place::new(), "http://127.0.0.1:1");
    let answer = post(&address, "/mcp", "", INITIALIZE);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains(r#""jsonrpc":"2.0""#) && answer.contains("cannot reach the gateway at http://127.0.0.1:1"),
        "{answer}"
    );
}
