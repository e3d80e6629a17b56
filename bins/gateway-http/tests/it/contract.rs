//! A client of `docs/rest-api.md` gets what it says, from the program, with server-everything behind it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::documented::{Contract, Example, examples};
use crate::gateway::{LONG, Place, Running};
use crate::http::{Answer, Connection, Request, call};
use crate::upstreams::{EverythingHttp, and, at, peer, stdio, with_servers};

/// What the examples ask of their demo server and server-everything has under another name.
const IN_ITS_WORDS: [(&str, &str); 2] = [
    ("evaluate an arithmetic expression", "the sum of two numbers"),
    (r#""steps", "args": {}"#, r#""trigger-long-running-operation", "args": {"duration": 0.2, "steps": 2}"#),
];

/// Values that must be those of the document, not just of their types.
const EXACT: [&str; 21] = [
    "active",
    "command",
    "failed_servers",
    "kind",
    "mcp_server",
    "metadata",
    "name",
    "qualified_name",
    "removed_server",
    "removed_tools_count",
    "router",
    "server",
    "servers_loaded",
    "shared",
    "state",
    "status",
    "success",
    "tool",
    "tools_count",
    "transport",
    "protocol_version",
];

/// Differences between the demo server of the document and server-everything, by operation and field.
const OTHERWISE: [(&str, &str); 4] = [
    ("POST /mcp/search", "qualified_name"),
    ("GET /sessions", "tools_count"),
    ("GET /sessions/{id}", "tools_count"),
    ("GET /sessions/{id}", "transport"),
];

/// Puts programs on the gateway's path that run the servers of others as npx and uvx would.
fn with_launchers(place: Place) -> Place {
    let launchers = [
        ("npx", format!("shift 2\nexec '{}' \"$@\"", peer("mcp-server-filesystem").display())),
        ("uvx", format!("shift\nexec '{}' \"$@\"", peer("mcp-server-time").display())),
    ];
    let mut place = place;
    for (name, lines) in launchers {
        place = place.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{lines}\n"));
        let program = place.path().join("bin").join(name);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", place.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    place.variable("PATH", &path)
}

#[test]
fn every_example_gets_the_documented_answer() {
    let everything = EverythingHttp::start();
    let place = with_launchers(with_servers(&[("demo", at(&everything.url()))]));
    let gateway = place.start(&[]);
    gateway.wait_for(&["demo"]);
    let contract = Contract::read();
    let (mut session, mut asked) = (None::<(String, String)>, BTreeSet::new());
    for example in examples() {
        let mut path = example.path.clone();
        if let Some((shown, real)) = &session {
            path = path.replace(shown, real);
        }
        let operation = match &session {
            Some((shown, _)) => format!("{} {}", example.method, example.path.replace(shown, "{id}")),
            None => format!("{} {}", example.method, example.path),
        };
        let mut answer = gateway.http(&request(&example, &path));
        let is_later = path.starts_with("/mcp/requests/");
        while is_later && answer.status == 200 && answer.json().get("response").is_none() {
            answer = gateway.http(&request(&example, &path));
        }
        let operation = if is_later { "GET /mcp/requests/{id}".to_owned() } else { operation };
        let Some(shown) = &example.shown else {
            check_text(&contract, &operation, &answer);
            asked.insert(operation);
            continue;
        };
        let found = answer.json();
        if shown["status"] == "error" {
            answer.problem(404, shown["kind"].as_str().expect("a kind"));
        } else if shown["status"] == "queued" {
            assert_eq!(answer.status, 202, "{operation}: {found}");
            contract.check_queued(&operation, &found);
        } else {
            assert_eq!(answer.status, 200, "{operation}: {found}");
            contract.check(&operation, &found);
        }
        shows(&operation, "", shown, &found);
        if operation == "POST /sessions/create" {
            let id = |body: &Value| body["session_id"].as_str().expect("an id").to_owned();
            session = Some((id(shown), id(&found)));
        }
        check_values(&operation, &found);
        asked.insert(operation);
    }
    assert_eq!(asked, contract.names(), "each operation has an example");
}

fn request(example: &Example, path: &str) -> Request {
    let body = IN_ITS_WORDS.iter().fold(example.body.clone(), |body, (theirs, ours)| body.replace(theirs, ours));
    let request = match example.method.as_str() {
        "POST" => Request::post(path, body),
        method => Request::new(method, path),
    };
    example.headers.iter().fold(request, |request, (name, value)| request.with(name, value))
}

/// Checks an answer that the document does not show as JSON.
fn check_text(contract: &Contract, operation: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    let text = answer.text();
    match operation {
        "POST /mcp/execute" => {
            assert_eq!(answer.header("content-type"), Some("text/event-stream"));
            let events: Vec<(&str, Value)> = text
                .split("\n\n")
                .filter(|event| !event.is_empty() && !event.starts_with(':'))
                .map(|event| event.split_once("\ndata: ").expect("an event has data"))
                .map(|(name, data)| (name, serde_json::from_str(data).expect("data is JSON")))
                .collect();
            let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["event: progress", "event: progress", "event: result"], "{text}");
            assert_eq!((&events[0].1["progress"], &events[0].1["total"]), (&json!(1), &json!(2)), "{text}");
            contract.check(operation, &events[2].1);
        }
        "GET /metrics" => {
            assert!(answer.header("content-type").is_some_and(|kind| kind.contains("text")), "{answer:?}");
            // Calls of three requests for `echo`, one of them by the queue, and one for `steps`.
            let line = "mcp_gateway_calls_total{server=\"demo\",outcome=\"ok\"} 4";
            assert!(text.contains(line) && text.contains("# TYPE mcp_gateway_calls counter"), "{text}");
        }
        "GET /openapi.json" => {
            let openapi = answer.json();
            assert!(openapi["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{openapi}");
            for name in contract.names() {
                let (method, path) = name.split_once(' ').expect("METHOD PATH");
                let described = &openapi["paths"][path][method.to_ascii_lowercase()]["responses"];
                let described: BTreeSet<u16> = described
                    .as_object()
                    .expect(&name)
                    .keys()
                    .map(|status| status.parse::<u16>().expect("a status"))
                    .collect();
                assert_eq!(described, contract.statuses(&name), "{name}");
            }
        }
        _ => panic!("{operation} has an answer that this test cannot read"),
    }
}

/// Checks that an answer has everything that the document shows: fields, types, and the values of [`EXACT`].
fn shows(operation: &str, place: &str, shown: &Value, found: &Value) {
    if let Some(fault) = differs(operation, place, shown, found) {
        panic!("{operation}: {fault} in {found:#}");
    }
}

fn differs(operation: &str, place: &str, shown: &Value, found: &Value) -> Option<String> {
    match (shown, found) {
        (Value::Object(shown), Value::Object(found)) => {
            let is_map = |map: &serde_json::Map<String, Value>| map.keys().all(|key| key.len() == 36);
            if !shown.is_empty() && is_map(shown) {
                return shown.values().find_map(|shown| one_of(operation, place, shown, &mut found.values()));
            }
            shown.iter().find_map(|(name, shown)| {
                let place = format!("{place}/{name}");
                let Some(found) = found.get(name) else { return Some(format!("{place} is missing")) };
                let is_exact = EXACT.contains(&name.as_str()) && !OTHERWISE.contains(&(operation, name.as_str()));
                match name.as_str() {
                    "call_tool_result" | "inputSchema" | "input_schema" => {
                        (!found.is_object()).then(|| format!("{place} is {found}"))
                    }
                    _ if is_exact => (shown != found).then(|| format!("{place} is {found} instead of {shown}")),
                    _ => differs(operation, &place, shown, found),
                }
            })
        }
        (Value::Array(shown), Value::Array(found)) => {
            shown.iter().find_map(|shown| one_of(operation, place, shown, &mut found.iter()))
        }
        (shown, found) => (std::mem::discriminant(shown) != std::mem::discriminant(found))
            .then(|| format!("{place} is {found} instead of {shown}")),
    }
}

/// Whether one of several values is as shown; what is wrong with the last one where none is.
fn one_of(operation: &str, place: &str, shown: &Value, found: &mut dyn Iterator<Item = &Value>) -> Option<String> {
    let mut fault = Some(format!("{place} is empty"));
    for found in found {
        fault = differs(operation, place, shown, found);
        if fault.is_none() {
            break;
        }
    }
    fault
}

/// Tools of server-everything. Four of them it shows only to clients that can be asked, as the gateway says it can.
const EVERYTHING_TOOLS: usize = 17;

/// What server-everything answers, where the document has another server's words.
fn check_values(operation: &str, found: &Value) {
    let expected = match operation {
        "POST /mcp/search" => vec![("/result/0/tool_name", json!("get-sum"))],
        "POST /tool" => vec![("/result/content", json!("Echo: hello")), ("/result/server", json!("demo"))],
        "POST /mcp/execute" if found["status"] == "completed" => vec![
            ("/result/content", json!("Echo: hello")),
            ("/result/call_tool_result", json!({ "content": [{ "type": "text", "text": "Echo: hello" }] })),
        ],
        "GET /mcp/tools" | "GET /tools" => vec![("/total", json!(EVERYTHING_TOOLS)), ("/tools/0/name", json!("echo"))],
        "POST /add-server" => vec![("/total_servers", json!(2)), ("/added_servers/0/tools_count", json!(2))],
        "POST /mcp/servers/add" => vec![("/total_servers", json!(3)), ("/added_servers/0/tools_count", json!(14))],
        "POST /mcp/servers/remove" => vec![("/total_servers", json!(2))],
        "GET /sessions" => vec![("/total", json!(1)), ("/sessions/0/tools_count", json!(EVERYTHING_TOOLS))],
        "GET /sessions/{id}" => vec![("/total_tools", json!(EVERYTHING_TOOLS)), ("/connections/0/name", json!("demo"))],
        "GET /health" => vec![("/connected_servers", json!(2)), ("/processes", json!(1)), ("/sessions", json!(0))],
        _ => Vec::new(),
    };
    for (pointer, expected) in expected {
        assert_eq!(found.pointer(pointer), Some(&expected), "{operation}{pointer}: {found:#}");
    }
}

/// A gateway with servers for every failure.
fn troubled(everything: &EverythingHttp) -> Running {
    let hasty = json!({ "request_timeout_ms": 300 });
    let place = with_servers(&[
        ("demo", json!({ "command": peer("mcp-server-everything") })),
        ("second", at(&everything.url())),
        ("hasty", and(at(&everything.url()), hasty)),
        ("reference", stdio(&[])),
        ("gone", json!({ "command": "/nowhere/server" })),
    ]);
    let place = place
        .variable("GATEWAY__SERVER__BODY_LIMIT_BYTES", "200000")
        .variable("GATEWAY__SERVER__BODY_TIMEOUT_MS", "300")
        .variable("GATEWAY__SESSIONS__MAX", "1");
    let gateway = place.start(&[]);
    gateway.wait_for(&["demo", "second", "hasty", "reference"]);
    gateway
}

#[test]
fn every_failure_has_its_status_and_body() {
    let everything = EverythingHttp::start();
    let gateway = troubled(&everything);
    let contract = Contract::read();
    gateway.post("/sessions/create", "").ok();
    let long = "x".repeat(250_000);
    let search = |query: &str| Request::post("/mcp/search", query);
    let execute = |body: &str| Request::post("/mcp/execute", body);
    let work = r#"{"duration": 20, "steps": 2}"#;
    let cases = [
        (search("{}"), 400, "invalid_request"),
        (search("{"), 400, "invalid_request"),
        (search(""), 400, "invalid_request"),
        (search(r#"{"query": ""}"#), 400, "invalid_request"),
        (search(r#"{"query": "x", "limit": 0}"#), 400, "invalid_request"),
        (search(r#"{"query": "x", "limit": 51}"#), 400, "invalid_request"),
        (search(r#"{"query": "x", "min_score": 1.5}"#), 400, "invalid_request"),
        (search(r#"{"query": "x", "servers": ["nobody"]}"#), 404, "not_found"),
        (search(&format!(r#"{{"query": "{}"}}"#, &long[..70_000])), 413, "too_large"),
        (execute("{}"), 400, "invalid_request"),
        (execute(r#"{"tool_name": "echo", "args": "message"}"#), 422, "invalid_arguments"),
        (execute(r#"{"tool_name": "echo", "timeout_ms": 0}"#), 400, "invalid_request"),
        (execute(r#"{"tool_name": "nobody"}"#), 404, "not_found"),
        (execute(r#"{"tool_name": "echo", "server": "nobody"}"#), 404, "not_found"),
        (execute(r#"{"tool_name": "get-sum", "args": {"a": 1, "b": 2}}"#), 409, "conflict"),
        (execute(&format!(r#"{{"tool_name": "echo", "args": {{"message": "{long}"}}}}"#)), 413, "too_large"),
        (
            execute(&format!(
                r#"{{"tool_name": "demo__trigger-long-running-operation", "args": {work}, "timeout_ms": 100}}"#
            )),
            408,
            "deadline_exceeded",
        ),
        (call("hasty__trigger-long-running-operation", work), 504, "upstream_timeout"),
        (call("reference__rpc_error", r#"{"code": -32000}"#), 502, "upstream_failed"),
        (call("reference__die", "{}"), 502, "upstream_failed"),
        (call("gone__echo", "{}"), 503, "unavailable"),
        (Request::post("/tool", r#"{"name": "nobody", "arguments": {}}"#), 404, "not_found"),
        (Request::post("/mcp/servers/add", "{}"), 400, "invalid_request"),
        (Request::post("/mcp/servers/add", r#"{"config_data": "no JSON"}"#), 400, "invalid_request"),
        (Request::post("/add-server", "[]"), 400, "invalid_request"),
        (Request::post("/mcp/servers/remove", "{}"), 400, "invalid_request"),
        (Request::post("/mcp/servers/remove", r#"{"server_name": "nobody"}"#), 404, "not_found"),
        (Request::post("/sessions/create", r#"{"metadata": 1}"#), 400, "invalid_request"),
        (Request::post("/sessions/create", r#"{"ttl_seconds": 0}"#), 400, "invalid_request"),
        (Request::post("/sessions/create", ""), 429, "rate_limited"),
        (Request::get("/sessions/sess_unknown"), 404, "not_found"),
        (Request::new("DELETE", "/sessions/sess_unknown"), 404, "not_found"),
        (Request::get("/mcp/tools").with("X-Session-ID", "sess_unknown"), 404, "not_found"),
        (Request::get("/mcp/servers").with("X-Session-ID", "sess_unknown"), 404, "not_found"),
        (search(r#"{"query": "x"}"#).with("X-Session-ID", "sess_unknown"), 404, "not_found"),
        (call("demo__echo", "{}").with("X-Session-ID", "sess_unknown"), 404, "not_found"),
        (Request::get("/mcp/tools").and("X-Session-ID", "a").and("X-Session-ID", "b"), 400, "invalid_request"),
        (Request::get("/nowhere"), 404, "not_found"),
        (Request::get("/mcp/execute"), 405, "method_not_allowed"),
        (Request::new("DELETE", "/mcp/tools"), 405, "method_not_allowed"),
        (search(r#"{"query": "x"}"#).with("Content-Type", "text/plain"), 415, "unsupported_media_type"),
        (Request::get("/mcp/tools").with("Host", "gateway.example"), 403, "forbidden"),
        (Request::get("/livez").with("X-Long", &"x".repeat(40_000)), 431, "headers_too_large"),
    ];
    // What the examples show is 200 and 202.
    let mut seen = BTreeSet::from([200, 202]);
    for (request, status, kind) in cases {
        let answer = gateway.http(&request);
        let message = answer.problem(status, kind);
        assert!(message.len() > 5 && !message.contains('\n'), "{message}");
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{request:?}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{request:?}");
        let details = &answer.json()["details"];
        if status == 409 {
            let candidates = details["candidates"].as_array().expect("the candidates are told");
            assert!(candidates.contains(&json!("demo__get-sum")) && candidates.contains(&json!("second__get-sum")));
        }
        let operation = request.operation();
        if contract.names().contains(&operation) {
            assert!(contract.statuses(&operation).contains(&status), "{operation} is not said to answer {status}");
        }
        seen.insert(status);
    }
    seen.insert(a_slow_body_is_refused(&gateway));
    seen.insert(the_key_is_missing());
    let all: BTreeSet<u16> = contract.names().iter().flat_map(|name| contract.statuses(name)).collect();
    // Nobody is there to read 499, and 500 is a bug.
    let missing: Vec<_> = all.difference(&seen).copied().collect();
    assert_eq!(missing, [499, 500], "statuses of the contract that nothing led to");
}

fn a_slow_body_is_refused(gateway: &Running) -> u16 {
    let mut connection = Connection::open(&gateway.address).unwrap();
    let head =
        "POST /mcp/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n";
    write!(connection.stream, "{head}\r\n{{\"query\"").unwrap();
    let answer = connection.answer().unwrap().expect("an answer");
    answer.problem(408, "deadline_exceeded");
    answer.status
}

fn the_key_is_missing() -> u16 {
    let place = Place::new().variable("GATEWAY_API_KEY", "0123456789abcdef");
    let gateway = place.start(&[]);
    let answer = gateway.get("/mcp/tools");
    answer.problem(401, "unauthenticated");
    assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{answer:?}");
    answer.status
}

#[test]
fn readiness_ends_with_the_signal_and_life_does_not() {
    let mut gateway = with_servers(&[("reference", stdio(&[]))]).start(&[]);
    gateway.wait_for(&["reference"]);
    let mut slow = Connection::open(&gateway.address).unwrap();
    slow.send(&call("slow", r#"{"ms": 1000}"#)).unwrap();
    gateway.ask_until("GET", "/metrics", "", "mcp_gateway_calls_in_flight{server=\"reference\"} 1");
    let mut ready = Connection::open(&gateway.address).unwrap();
    let mut alive = Connection::open(&gateway.address).unwrap();
    let probe = |connection: &mut Connection, path: &str| {
        connection.send(&Request::get(path)).unwrap();
        let answer = connection.answer().unwrap().expect("an answer");
        (answer.status, answer.header("connection") == Some("close"))
    };
    assert_eq!((probe(&mut ready, "/readyz"), probe(&mut alive, "/livez")), ((200, false), (200, false)));
    gateway.signal(Signal::TERM);
    // The signal takes a moment to arrive.
    let begun = Instant::now();
    let last = loop {
        match probe(&mut ready, "/readyz") {
            (200, false) if begun.elapsed() < LONG => {}
            last => break last,
        }
    };
    assert_eq!((last, probe(&mut alive, "/livez")), ((503, true), (200, true)));
    drop((ready, alive));
    assert_eq!(slow.answer().unwrap().expect("an answer").content(), "done");
    drop(slow);
    assert_eq!(gateway.end().code(), Some(0));
}
