//! Running and stopping.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::gateway::{Place, read_all};

#[test]
fn listens_answers_and_stops_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut gateway = Place::new().start(&[]);
        assert!(gateway.address.starts_with("127.0.0.1:") && !gateway.address.ends_with(":0"), "{}", gateway.address);
        let answer = gateway.ask("GET", "/health", "");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"status\":\"healthy\""), "{answer}");
        let metrics = gateway.ask("GET", "/metrics", "");
        assert!(metrics.contains("mcp_gateway_"), "{metrics}");
        gateway.signal(signal);
        assert_eq!(gateway.end().code(), Some(0));
        let more = gateway.rest().iter().filter(|line| line.contains("listening on")).count();
        assert_eq!(more, 0, "one line only");
    }
}

#[test]
fn a_port_that_is_taken_is_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let said = Place::new().run(&["--port", &taken.local_addr().unwrap().port().to_string()]);
    assert_eq!(said.status, Some(1));
    assert!(said.err.contains("failed to listen on 127.0.0.1:") && said.err.contains("--port"), "{}", said.err);
}

#[test]
fn bad_entries_stop_nothing() {
    let place = Place::new().file("servers.json", r#"{"mcpServers": {"bad": {}, "off": {"command": "x", "disabled": true}}}"#);
    let mut gateway = place.start(&[]);
    let answer = gateway.ask("GET", "/mcp/servers", "");
    assert!(answer.contains("\"name\":\"off\""), "{answer}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().code(), Some(0));
}

#[test]
fn the_key_is_asked_for() {
    let place = Place::new().variable("GATEWAY_API_KEY", "0123456789abcdef");
    let gateway = place.start(&[]);
    assert!(gateway.ask("GET", "/mcp/tools", "").starts_with("HTTP/1.1 401"));
    let request = gateway.request("GET", "/mcp/tools", "").replace("Connection", "X-API-Key: 0123456789abcdef\r\nConnection");
    assert!(read_all(&mut gateway.send(&request)).starts_with("HTTP/1.1 200"));
}

#[test]
fn the_servers_file_is_followed() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("mine.json");
    fs::write(&file, r#"{"mcpServers": {"one": {"command": "x", "disabled": true}}}"#).unwrap();
    let gateway = Place::new().start(&["--servers", file.to_str().unwrap()]);
    gateway.ask_until("GET", "/mcp/servers", "", "\"name\":\"one\"");
    fs::write(&file, r#"{"mcpServers": {"two": {"command": "x", "disabled": true}}}"#).unwrap();
    let answer = gateway.ask_until("GET", "/mcp/servers", "", "\"name\":\"two\"");
    assert!(!answer.contains("\"name\":\"one\""), "{answer}");
}
