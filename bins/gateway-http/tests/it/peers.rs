//! Servers that others wrote, all behind one gateway: what npm and PyPI have, not what we think they have.

use std::process::Command;
use std::time::{Duration, Instant};

use gateway_client::{CallEvent, GatewayClient, SearchRequest, ServerState, ToolCall};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::{Place, Running};
use crate::http::poll;
use crate::upstreams::{EverythingHttp, and, at, over_sse, peer, with_servers};

/// The servers' names, how they are reached, the protocol that they should end up with, and a tool of each.
const SERVERS: [(&str, &str, &str, &str); 6] = [
    ("everything", "stdio", "2025-11-25", "get-sum"),
    ("everything-http", "http", "2025-11-25", "get-sum"),
    ("everything-sse", "sse", "2025-11-25", "get-sum"),
    ("files", "stdio", "2025-11-25", "list_directory"),
    ("time", "stdio", "2026-07-28", "get_current_time"),
    ("git", "stdio", "2026-07-28", "git_log"),
];

/// All of them, behind one gateway.
struct Everyone {
    client: GatewayClient,
    folder: TempDir,
    _everything: [EverythingHttp; 2],
    _gateway: Running,
    _place: Place,
}

impl Everyone {
    #[track_caller]
    fn start() -> Self {
        let everything = [EverythingHttp::start(), EverythingHttp::start_sse()];
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("letter.txt"), "dear reader\n").unwrap();
        std::fs::create_dir(folder.path().join("drawer")).unwrap();
        let place = with_servers(&[
            ("everything", program("mcp-server-everything")),
            ("everything-http", at(&everything[0].url())),
            ("everything-sse", over_sse(&everything[1].url())),
            ("files", and(program("mcp-server-filesystem"), json!({ "args": [folder.path()] }))),
            ("time", program("mcp-server-time")),
            ("git", program("mcp-server-git")),
        ]);
        let gateway = place.start(&[]);
        let client = GatewayClient::new(format!("http://{}", gateway.address)).unwrap();
        gateway.wait_for(&SERVERS.map(|(name, ..)| name));
        Self { client, folder, _gateway: gateway, _everything: everything, _place: place }
    }

    /// A repository with one commit.
    fn repository(&self) -> String {
        let path = self.folder.path().join("repository");
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "-c", "commit.gpgsign=false"]);
            let done = git.args(arguments).output().expect("git is installed");
            assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        let path = path.to_str().expect("a path of ASCII").to_owned();
        git(&["init", "--quiet", &path]);
        git(&["-C", &path, "commit", "--quiet", "--allow-empty", "--message", "the first light"]);
        path
    }

    async fn call(&self, name: &str, arguments: &Value) -> (bool, String, Value) {
        let call = ToolCall::new(name).with_arguments(arguments).unwrap();
        let reply = self.client.execute(&call).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let result = serde_json::from_str(reply.result.call_tool_result.get()).expect("a result is JSON");
        (reply.result.success, reply.result.content, result)
    }
}

#[tokio::test]
async fn every_peer_is_connected_and_shows_its_tools() {
    let everyone = Everyone::start();
    let servers = everyone.client.servers().await.unwrap().servers;
    let tools = everyone.client.tools().await.unwrap();
    assert_eq!((servers.len(), tools.total), (SERVERS.len(), tools.tools.len()));
    for (name, transport, protocol, tool) in SERVERS {
        let server = servers.values().find(|server| server.name == name).expect(name);
        assert_eq!((server.state, server.transport.as_str()), (ServerState::Ready, transport), "{server:?}");
        assert_eq!(server.protocol_version.as_deref(), Some(protocol), "{server:?}");
        assert_eq!((server.rejected_tools.len(), server.warnings.len()), (0, 0), "{server:?}");
        assert_eq!(server.process_id.is_some(), transport == "stdio", "{server:?}");
        let listed: Vec<_> = tools.tools.iter().filter(|tool| tool.mcp_server == name).collect();
        assert!(server.tool_count > 1 && server.tool_count == listed.len(), "{server:?}");
        let tool = listed.iter().find(|listed| listed.name == tool).expect(tool);
        assert_eq!(tool.qualified_name, format!("{name}__{}", tool.name));
        let schema: Value = serde_json::from_str(tool.input_schema.get()).expect("a schema is JSON");
        assert_eq!(schema["type"], "object", "{schema}");
        assert!(!tool.description.is_empty());
    }
    // What only the server knows of its tool is there as well.
    let structured = tools.tools.iter().find(|tool| tool.name == "get-structured-content").expect("the tool");
    let declaration: Value = serde_json::from_str(structured.raw.get()).expect("a declaration is JSON");
    assert!(declaration["outputSchema"]["properties"]["temperature"].is_object(), "{declaration}");
    let health = everyone.client.health().await.unwrap();
    assert_eq!((health.connected_servers, health.processes), (Some(6), Some(4)), "{health:?}");
}

#[tokio::test]
async fn plain_words_find_the_right_tool() {
    let everyone = Everyone::start();
    let cases: [(&str, &[&str]); 9] = [
        ("what time is it in Tokyo", &["time__get_current_time"]),
        ("convert between time zones", &["time__convert_time"]),
        ("add two numbers", &["everything__get-sum", "everything-http__get-sum", "everything-sse__get-sum"]),
        ("list the files of a directory", &["files__list_directory"]),
        ("read a text file", &["files__read_text_file"]),
        ("show the commit history", &["git__git_log"]),
        ("create a new branch", &["git__git_create_branch"]),
        ("what has changed in the working tree", &["git__git_status"]),
        ("echo a message back", &["everything__echo", "everything-http__echo", "everything-sse__echo"]),
    ];
    for (query, expected) in cases {
        let found = everyone.client.search(&SearchRequest::new(query).with_limit(3)).await.unwrap().result;
        let names: Vec<_> = found.iter().map(|tool| tool.qualified_name.as_str()).collect();
        for expected in expected {
            assert!(names.contains(expected), "{query:?}: {expected} is not in {names:?}");
        }
        assert!(found.is_sorted_by(|one, next| one.match_score >= next.match_score), "{query:?}: {found:?}");
        assert!(found.iter().all(|tool| (0.0..=1.0).contains(&tool.match_score) && !tool.reasoning.is_empty()));
    }
    let found = everyone.client.search(&SearchRequest::new("bake a cake with strawberries")).await.unwrap();
    assert_eq!(found.result.len(), 0, "{found:?}");
}

#[tokio::test]
async fn tools_answer_and_their_errors_are_answers() {
    let everyone = Everyone::start();
    let repository = everyone.repository();
    let folder = everyone.folder.path();
    let cases = [
        ("everything__echo", json!({ "message": "hello" }), true, "Echo: hello"),
        ("everything-http__echo", json!({ "message": "snow\u{2603}" }), true, "Echo: snow\u{2603}"),
        ("everything__get-sum", json!({ "a": 19, "b": 23 }), true, "The sum of 19 and 23 is 42."),
        ("everything-http__get-sum", json!({ "a": 0.5, "b": 1e3 }), true, "1000.5"),
        ("everything-sse__echo", json!({ "message": "old" }), true, "Echo: old"),
        ("everything-sse__get-sum", json!({ "a": 2, "b": 3 }), true, "5"),
        ("list_directory", json!({ "path": folder }), true, "[FILE] letter.txt"),
        ("read_text_file", json!({ "path": folder.join("letter.txt") }), true, "dear reader\n"),
        ("get_current_time", json!({ "timezone": "Asia/Tokyo" }), true, "+09:00"),
        ("git_log", json!({ "repo_path": repository }), true, "the first light"),
        ("git_status", json!({ "repo_path": repository }), true, "nothing to commit"),
        // A tool that fails has answered all the same.
        ("everything__get-sum", json!({ "a": "x", "b": 1 }), false, "expected number"),
        ("everything-http__get-sum", json!({}), false, "expected number"),
        ("everything-sse__get-sum", json!({}), false, "expected number"),
        ("read_text_file", json!({ "path": "/etc/passwd" }), false, "Access denied"),
        ("get_current_time", json!({ "timezone": "Middle/Earth" }), false, "Invalid timezone"),
        ("git_log", json!({ "repo_path": "/nowhere" }), false, "/nowhere"),
    ];
    for (name, arguments, success, expected) in cases {
        let (succeeded, content, result) = everyone.call(name, &arguments).await;
        assert_eq!(succeeded, success, "{name}: {content}");
        assert!(content.contains(expected), "{name}: {expected:?} is not in {content:?}");
        assert_eq!(result["isError"] == true, !success, "{name}: {result}");
    }
    // Parts that are no text stay what they are.
    let (_, _, image) = everyone.call("everything__get-tiny-image", &json!({})).await;
    let part = image["content"].as_array().and_then(|parts| parts.iter().find(|part| part["type"] == "image"));
    assert!(part.is_some_and(|part| part["mimeType"] == "image/png" && part["data"].is_string()), "{image}");
    let (_, _, weather) =
        everyone.call("everything-http__get-structured-content", &json!({ "location": "Chicago" })).await;
    assert!(weather["structuredContent"]["temperature"].is_number(), "{weather}");
    // Two servers have it.
    let error = everyone.client.execute(&ToolCall::new("get-sum")).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(409), Some("conflict")), "{error}");
}

#[tokio::test]
async fn progress_arrives_while_the_tool_works() {
    let everyone = Everyone::start();
    for server in ["everything", "everything-http", "everything-sse"] {
        let call = ToolCall::new("trigger-long-running-operation").with_server(server);
        let call = call.with_arguments(&json!({ "duration": 1.2, "steps": 3 })).unwrap();
        let mut events = everyone.client.execute_stream(&call).await.unwrap();
        let (mut steps, mut first, begun) = (Vec::new(), None, Instant::now());
        let reply = loop {
            match events.next().await.unwrap().expect("a result ends the stream") {
                CallEvent::Progress(params) => {
                    first.get_or_insert(begun.elapsed());
                    steps.push(serde_json::from_str::<Value>(params.get()).expect("params are JSON"));
                }
                CallEvent::Result(reply) => break reply,
                other => panic!("{server}: {other:?}"),
            }
        };
        let whole = begun.elapsed();
        assert!(reply.result.content.contains("completed"), "{reply:?}");
        let counted: Vec<_> = steps.iter().map(|step| step["progress"].as_u64()).collect();
        assert_eq!(counted, [Some(1), Some(2), Some(3)], "{server}: {steps:?}");
        assert!(steps.iter().all(|step| step["total"] == 3), "{server}: {steps:?}");
        let first = first.expect("a first step");
        assert!(
            whole - first > Duration::from_millis(400),
            "{server}: the first step came after {first:?} of {whole:?}"
        );
        assert!(events.next().await.unwrap().is_none(), "nothing comes after the result");
    }
}

#[test]
fn what_peers_write_to_standard_error_is_logged() {
    let place = with_servers(&[
        ("everything", program("mcp-server-everything")),
        ("files", and(program("mcp-server-filesystem"), json!({ "args": ["/tmp"] }))),
    ]);
    let mut gateway = place.variable("GATEWAY__LOG__FILTER", "upstream=debug").start(&[]);
    let mut expected =
        vec![("everything", "Starting default (STDIO) server"), ("files", "Secure MCP Filesystem Server running")];
    while !expected.is_empty() {
        let line = gateway.line("upstream");
        expected.retain(|(server, words)| !(line.contains(words) && line.contains(server)));
    }
}

#[test]
fn a_peer_that_restarts_is_met_again() {
    let mut everything = [EverythingHttp::start(), EverythingHttp::start_sse()];
    let place = with_servers(&[
        ("new", at(&everything[0].url())),
        ("old", over_sse(&everything[1].url())),
        ("time", program("mcp-server-time")),
    ]);
    let gateway = place.start(&[]);
    gateway.wait_for(&["new", "old", "time"]);
    let sum = |server: &str| gateway.call(&format!("{server}__get-sum"), r#"{"a": 1, "b": 2}"#);
    for server in ["new", "old"] {
        assert!(sum(server).content().contains('3'), "{server}");
    }
    everything.iter_mut().for_each(EverythingHttp::restart);
    // Nobody told the gateway, so its session is one that the new process has never heard of.
    assert!(sum("new").content().contains('3'));
    // A stream that ends is told, and the gateway tries until the server is there again.
    poll("the server is met again", || sum("old"), |answer| answer.status == 200);
    assert!(sum("old").content().contains('3'));
    // A process that dies is started again.
    let before = gateway.server("time")["process_id"].as_u64().expect("a process");
    let id = Pid::from_raw(i32::try_from(before).unwrap()).unwrap();
    kill_process(id, Signal::KILL).unwrap();
    gateway.server_when("time", |server| server["state"] == "ready" && server["process_id"] != before);
    assert!(gateway.call("get_current_time", r#"{"timezone": "UTC"}"#).content().contains("UTC"));
}

#[test]
fn a_peer_of_the_old_transport_is_found_behind_its_address_alone() {
    let mut everything = EverythingHttp::start_sse();
    let gateway = with_servers(&[("everything", at(&everything.url()))]).start(&[]);
    let server = gateway.server_when("everything", |server| server["state"] == "ready");
    // The transport is the one that was asked for; it came to an understanding the other way.
    assert_eq!((&server["transport"], &server["protocol_version"]), (&json!("http"), &json!("2025-11-25")));
    let sum = || gateway.call("get-sum", r#"{"a": 1, "b": 2}"#);
    assert!(sum().content().contains('3'));
    everything.restart();
    poll("the server is met again", sum, |answer| answer.status == 200);
    // An address at which nobody speaks either is told as what it was taken for.
    let nothing = everything.url().replace("/sse", "/nothing");
    let gateway = with_servers(&[("nothing", at(&nothing))]).start(&[]);
    let server = gateway.server_when("nothing", |server| server.get("last_error").is_some());
    assert!(server["last_error"].as_str().expect("text").contains("no Streamable HTTP endpoint"), "{server}");
}

/// An entry for a program that others wrote.
fn program(name: &str) -> Value {
    json!({ "command": peer(name) })
}
