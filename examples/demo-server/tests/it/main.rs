//! The demo server as a client meets it: a program with a stdin and a stdout.

use std::time::Duration;

use examples_testkit::StdioServer;
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// What every request of the modern era carries.
fn modern_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn demo_server() -> StdioServer {
    StdioServer::start(env!("CARGO_BIN_EXE_demo-server"), &[])
}

fn legacy_session() -> StdioServer {
    let mut program = demo_server();
    let answer = program.initialize();
    assert_eq!(answer["result"]["protocolVersion"], LEGACY);
    assert_eq!(answer["result"]["serverInfo"]["name"], "demo-server");
    program
}

#[test]
fn a_legacy_client_shakes_hands_lists_and_calls() {
    let mut program = legacy_session();
    let listed = program.request("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["calculate", "convert_time", "current_time", "echo"]);
    for tool in tools {
        assert!(tool["title"].is_string() && tool["description"].as_str().unwrap().len() > 40, "{tool}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        for (name, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name} of {tool}");
        }
    }
    let called = program.request("tools/call", &json!({"name": "calculate", "arguments": {"expression": "2+2*10"}}));
    assert_eq!(called["result"]["content"][0], json!({"type": "text", "text": "22"}));
    assert_eq!(called["result"]["structuredContent"], json!({"expression": "2+2*10", "result": "22", "exact": true}));
}

#[test]
fn a_modern_client_discovers_and_calls_without_a_handshake() {
    let mut program = demo_server();
    let found = program.request("server/discover", &json!({"_meta": modern_meta()}));
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)) && versions.contains(&json!(LEGACY)), "{found}");
    let listed = program.request("tools/list", &json!({"_meta": modern_meta()}));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    assert_eq!(listed["result"]["resultType"], "complete");
    assert!(listed["result"]["ttlMs"].is_number() && listed["result"]["cacheScope"].is_string(), "{listed}");
    let arguments = json!({"message": "grüße, 世界"});
    let call = json!({"name": "echo", "arguments": arguments, "_meta": modern_meta()});
    let called = program.request("tools/call", &call);
    assert_eq!(called["result"]["content"][0]["text"], "grüße, 世界");
}

#[test]
fn a_probe_with_discover_may_be_followed_by_initialize() {
    let mut program = demo_server();
    let found = program.request("server/discover", &json!({"_meta": modern_meta()}));
    assert!(found["result"].is_object(), "{found}");
    let hello = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    assert_eq!(program.request("initialize", &hello)["result"]["protocolVersion"], LEGACY);
}

#[test]
fn a_tool_that_fails_is_a_reply_and_the_server_lives_on() {
    let mut program = legacy_session();
    let cases = [
        ("calculate", json!({"expression": "1/0"}), "division by zero"),
        ("calculate", json!({"expression": "(".repeat(100_000)}), "100000 characters"),
        ("calculate", json!({"expression": format!("1{}", "²".repeat(400))}), "cannot be evaluated"),
        ("current_time", json!({"timezone": "Mars/Base"}), "no time zone"),
        ("convert_time", json!({"time": "25:00", "to_timezone": "UTC"}), "no time"),
    ];
    for (tool, arguments, expected) in cases {
        let called = program.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        assert_eq!(called["result"]["isError"], true, "{tool}: {called}");
        let text = called["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(expected), "{tool}: {text}");
    }
    let called = program.request("tools/call", &json!({"name": "echo", "arguments": {"message": "still here"}}));
    assert_eq!(called["result"]["content"][0]["text"], "still here");
}

#[test]
fn it_ends_when_its_stdin_closes() {
    for program in [demo_server(), legacy_session()] {
        let status = program.close_stdin_and_wait(Duration::from_secs(5));
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
    }
}
