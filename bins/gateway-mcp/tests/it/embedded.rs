//! With an engine of its own, and in front of a real gateway.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gateway_testkit::reference;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::http::post;
use crate::program::{Place, Running};

/// A folder with the reference server in its servers file.
fn place() -> Place {
    let servers = json!({ "mcpServers": { "ref": { "command": reference::program() } } });
    Place::new().file("servers.json", &servers.to_string())
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

#[test]
fn it_is_a_whole_gateway_on_standard_input_and_output() {
    let mut client = place().start(&["--stdio", "--expose", "all"]);
    client.greet();
    // The first list waits for the server that is just being started.
    let tools = client.ask("tools/list", &json!({}))["result"]["tools"].to_string();
    assert!(tools.contains(r#""ref__echo""#), "{tools}");
    assert_eq!(text(&client.call("ref__echo", &json!({ "text": "hi" }))), "hi");
    let modern = json!({
        "name": "ref__echo",
        "arguments": { "text": "both eras on one wire" },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let answer = client.ask("tools/call", &modern);
    assert_eq!((text(&answer), &answer["result"]["resultType"]), ("both eras on one wire", &json!("complete")));
    // A call under way is answered after the end of input.
    let id = client.begin("tools/call", &json!({ "name": "ref__slow", "arguments": { "ms": 300 } }));
    client.hang_up();
    assert_eq!(text(&client.answer(id)), "done");
    assert_eq!(client.end().code(), Some(0));
    assert_eq!(client.rest(), Vec::<String>::new());
}

#[test]
fn two_tools_find_and_run_all_others() {
    let mut client = place().start(&["--stdio"]);
    client.greet();
    let found = client.call("search_tools", &json!({ "query": "echo a text back" }));
    let name = found["result"]["structuredContent"]["tools"][0]["name"].as_str().expect("a tool");
    assert_eq!(name, "ref__echo", "{found}");
    let ran = client.call("execute_tool", &json!({ "tool_name": name, "args": { "text": "found" } }));
    assert_eq!(text(&ran), "found");
    client.signal(Signal::TERM);
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn it_listens_for_mcp_and_nothing_else() {
    let mut running = place().start(&["--port", "0"]);
    let line = running.logged("listening on http://");
    let address = line.split("http://").nth(1).unwrap();
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    assert!(post(address, "/mcp", "", initialize).starts_with("HTTP/1.1 200"));
    assert!(post(address, "/mcp/execute", "", "{}").starts_with("HTTP/1.1 404"));
    running.signal(Signal::INT);
    assert_eq!(running.end().code(), Some(0));
}

/// A `gateway-http` in front of the reference server; killed when dropped.
struct Gateway {
    child: Child,
    url: String,
    _place: tempfile::TempDir,
}

impl Gateway {
    fn start() -> Self {
        let folder = std::env::var_os("MCP_BIN_DIR").map(PathBuf::from);
        let folder = folder.or_else(|| Some(std::env::current_exe().ok()?.parent()?.parent()?.to_owned())).unwrap();
        let program = folder.join("gateway-http");
        assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
        let place = tempfile::TempDir::new().unwrap();
        let servers = json!({ "mcpServers": { "ref": { "command": reference::program() } } });
        std::fs::write(place.path().join("servers.json"), servers.to_string()).unwrap();
        let mut command = Command::new(program);
        command.args(["--port", "0"]).current_dir(place.path()).env_clear().stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on ") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended at once");
        }
        let url = line.trim().split("listening on ").nth(1).unwrap().to_owned();
        // Whatever it logs later goes nowhere; a closed pipe would end it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, url, _place: place }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_stands_in_front_of_a_gateway() {
    let gateway = Gateway::start();
    let mut client: Running = Place::new().start(&["--stdio", "--gateway-url", &gateway.url, "--expose", "all"]);
    client.greet();
    let tools = client.ask("tools/list", &json!({}))["result"]["tools"].to_string();
    assert!(tools.contains(r#""ref__echo""#), "{tools}");
    assert_eq!(text(&client.call("ref__echo", &json!({ "text": "through two" }))), "through two");
    let progress =
        json!({ "name": "ref__progress", "arguments": { "steps": 3 }, "_meta": { "progressToken": "mine" } });
    let id = client.begin("tools/call", &progress);
    for step in 1..=3 {
        let heard = client.hear_until(|message| message["method"] == "notifications/progress");
        assert_eq!((&heard["params"]["progress"], &heard["params"]["progressToken"]), (&json!(step), &json!("mine")));
    }
    assert_eq!(text(&client.answer(id)), "done");
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}
