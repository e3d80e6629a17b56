//! Running and stopping.

use std::collections::BTreeSet;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::gateway::{LONG, Place, Running, read_all};

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
fn localhost_is_the_newer_loopback_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        // No IPv6 here: that the gateway starts all the same, every other test shows.
        return;
    }
    let gateway = Place::new().start(&[]);
    let port = gateway.address.rsplit(':').next().unwrap();
    let mut stream = TcpStream::connect(format!("[::1]:{port}")).expect("it listens there, too");
    write!(stream, "GET /livez HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let taken = TcpListener::bind("[::1]:0").unwrap();
    let said = Place::new().run(&["--port", &taken.local_addr().unwrap().port().to_string()]);
    assert_eq!(said.status, Some(1));
    assert!(said.err.contains("failed to listen on [::1]:") && said.err.contains("--host"), "{}", said.err);
}

#[test]
fn bad_entries_stop_nothing() {
    let place =
        Place::new().file("servers.json", r#"{"mcpServers": {"bad": {}, "off": {"command": "x", "disabled": true}}}"#);
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
    let request =
        gateway.request("GET", "/mcp/tools", "").replace("Connection", "X-API-Key: 0123456789abcdef\r\nConnection");
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

/// A place whose servers file has one server, the reference server over stdio.
fn with_reference_server() -> Place {
    let program = gateway_testkit::reference::program().display().to_string();
    Place::new().file("servers.json", &format!(r#"{{"mcpServers": {{"reference": {{"command": {program:?}}}}}}}"#))
}

/// A call of `tool` that is under way, and the process that runs it.
fn call_under_way(gateway: &Running, tool: &str, arguments: &str) -> (std::net::TcpStream, u32) {
    let status = gateway.ask_until("GET", "/mcp/servers", "", "\"state\":\"ready\"");
    let id = status.split("\"process_id\":").nth(1).expect("the process is shown");
    let id = id.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    let body = format!(r#"{{"tool_name": "{tool}", "args": {arguments}}}"#);
    let call = gateway.send(&gateway.request("POST", "/mcp/execute", &body));
    gateway.ask_until("GET", "/metrics", "", "mcp_gateway_calls_in_flight{server=\"reference\"} 1");
    (call, id)
}

fn assert_gone(id: u32) {
    let end = Instant::now() + LONG;
    while Running::lives(id) {
        assert!(Instant::now() < end, "the process {id} still lives");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_call_under_way_is_answered_before_the_end() {
    let mut gateway = with_reference_server().start(&[]);
    let (mut call, child) = call_under_way(&gateway, "slow", r#"{"ms": 700}"#);
    gateway.signal(Signal::TERM);
    let answer = read_all(&mut call);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"success\":true"), "{answer}");
    assert_eq!(gateway.end().code(), Some(0));
    assert!(!Running::lives(child), "children are gone before the gateway");
}

#[test]
fn the_grace_period_ends() {
    let place = with_reference_server().variable("GATEWAY__SERVER__GRACE_MS", "100");
    let mut gateway = place.start(&[]);
    let (mut call, child) = call_under_way(&gateway, "hang", "{}");
    gateway.signal(Signal::TERM);
    let answer = read_all(&mut call);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(gateway.end().code(), Some(0));
    assert!(!Running::lives(child), "children are gone before the gateway");
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = with_reference_server().variable("GATEWAY__SERVER__GRACE_MS", "3600000");
    let mut gateway = place.start(&[]);
    let (_call, child) = call_under_way(&gateway, "hang", "{}");
    gateway.signal(Signal::TERM);
    gateway.line("SIGTERM: stopping");
    gateway.signal(Signal::INT);
    assert_eq!(gateway.end().code(), Some(130));
    assert_gone(child);
}

#[test]
fn the_demo_server_is_a_flag_away() {
    let beside = Path::new(env!("CARGO_BIN_EXE_gateway-http")).with_file_name(format!("demo-server{EXE_SUFFIX}"));
    if !beside.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "demo-server"]).status();
        assert!(built.unwrap().success(), "the demo server must build");
    }
    let mut gateway = Place::new().start(&["--demo"]);
    let call = r#"{"tool_name": "calculate", "args": {"expression": "6 * 7"}}"#;
    let answer = gateway.ask("POST", "/mcp/execute", call);
    assert!(answer.contains("\"success\":true") && answer.contains("42"), "{answer}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().code(), Some(0));
}

/// `docs/observability.md` has tables of all metrics; the page of a whole gateway has just those.
#[test]
fn every_metric_is_documented() {
    let document =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/observability.md")).unwrap();
    let documented: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `mcp_gateway_")?.split('`').next()).collect();
    let place = with_reference_server();
    let gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    gateway.call("reference__echo", r#"{"text":"x"}"#).ok();
    gateway.post("/mcp/search", r#"{"query":"echo a text"}"#).ok();
    let page = gateway.get("/metrics").text();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE mcp_gateway_")?.split_once(' '));
    let shown: BTreeSet<String> =
        types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect();
    assert_eq!(shown.iter().map(String::as_str).collect::<BTreeSet<_>>(), documented);
}
