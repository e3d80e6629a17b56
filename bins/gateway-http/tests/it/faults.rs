//! What goes wrong behind the gateway, and what of it a caller sees.

use std::time::{Duration, Instant};

use gateway_testkit::reference::{GENERATED_TOOL_PREFIX, MALFORMED_TOOL_NAME, ODD_RESULT, ReferenceProcess, TOOLS};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::gateway::Running;
use crate::http::{Connection, call, poll};
use crate::upstreams::{and, at, every_way, free_port, over_sse, stdio, with_servers};

/// What an upstream sent as its result, as the answer to a call has it: nothing of it is read.
fn result_in(body: &[u8]) -> &[u8] {
    let mark = b"\"call_tool_result\":";
    let begin = body.windows(mark.len()).position(|window| window == mark).expect("the answer has a result");
    body[begin + mark.len()..].strip_suffix(b"}}").expect("the result is the last field")
}

/// What the tool `whoami` of a server says.
#[track_caller]
fn whoami(gateway: &Running, server: &str) -> Value {
    serde_json::from_str(&gateway.call(&format!("{server}__whoami"), "{}").content()).expect("JSON in text")
}

#[test]
fn results_arrive_byte_for_byte() {
    let (entries, _processes) = every_way(&["--unknown-content"]);
    let gateway = with_servers(&entries).start(&[]);
    for (name, _) in &entries {
        let answer = gateway.call(&format!("{name}__odd"), "{}");
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let found = String::from_utf8_lossy(result_in(&answer.body));
        assert_eq!(found, ODD_RESULT, "{name}");
        // A part of a type that nobody knows is in the result and not in the text.
        let answer = gateway.call(&format!("{name}__echo"), r#"{"text": "caf\u00e9"}"#);
        assert_eq!(answer.content(), "café", "{name}");
        let found = String::from_utf8_lossy(result_in(&answer.body)).into_owned();
        assert!(found.contains(r#"{"type":"text","text":"caf\u00e9"}"#), "{name}: {found}");
        assert!(found.contains(r#"{"type":"x-hologram","payload":{"n":1.50e+3},"text":7}"#), "{name}: {found}");
    }
}

#[test]
fn large_results_arrive_whole() {
    let (entries, _processes) = every_way(&[]);
    let gateway = with_servers(&entries).start(&[]);
    for (name, _) in &entries {
        let most = matches!(*name, "stdio-legacy" | "http-legacy" | "sse-legacy");
        let size = if most { 20 * 1024 * 1024 } else { 1024 * 1024 };
        let answer = gateway.call(&format!("{name}__big"), &format!(r#"{{"bytes": {size}}}"#));
        assert_eq!(answer.status, 200, "{name}");
        let result = result_in(&answer.body);
        assert_eq!(result.len(), size, "{name}");
        let letters = result.iter().filter(|&&byte| byte == b'x').count();
        assert!(size - letters < 200, "{name}: {letters} of {size}");
    }
}

#[test]
fn a_result_beyond_the_limit_is_refused_and_the_server_goes_on() {
    let http = ReferenceProcess::http(&[]);
    let limit = json!({ "max_message_bytes": 100_000 });
    let sse = ReferenceProcess::old_sse(&[]);
    let servers = [
        ("stdio", and(stdio(&[]), limit.clone())),
        ("http", and(at(http.url()), limit.clone())),
        ("sse", and(over_sse(sse.url()), limit)),
    ];
    let gateway = with_servers(&servers).start(&[]);
    for (name, _) in servers {
        assert_eq!(gateway.call(&format!("{name}__big"), r#"{"bytes": 90000}"#).status, 200, "{name}");
        let why = gateway.call(&format!("{name}__big"), r#"{"bytes": 200000}"#).problem(502, "upstream_failed");
        assert!(why.contains("100000") || why.contains("max_message_bytes"), "{name}: {why}");
        assert_eq!(gateway.call(&format!("{name}__echo"), r#"{"text": "on"}"#).content(), "on");
    }
}

#[test]
fn every_page_of_a_list_is_read() {
    let (entries, _processes) = every_way(&["--tools", "30", "--page-size", "16"]);
    let gateway = with_servers(&entries).start(&[]);
    let generated = (1..=30).map(|number| format!("{GENERATED_TOOL_PREFIX}{number:05}"));
    let expected: Vec<String> = TOOLS.iter().map(|&name| name.to_owned()).chain(generated).collect();
    for (name, _) in &entries {
        let server = gateway.server_when(name, |server| server["state"] == "ready");
        assert_eq!(server["tools"], json!(expected), "{name}");
        assert_eq!(server.get("warnings"), None, "{server}");
        assert_eq!(gateway.call(&format!("{name}__tool_00030"), r#"{"text": "last"}"#).content(), "last");
    }
    assert_eq!(gateway.tool_names().len(), entries.len() * expected.len());
}

#[test]
fn endless_lists_end() {
    let servers = [
        ("cursor", stdio(&["--endless-cursor"])),
        ("pages", stdio(&["--endless-pages"])),
        ("good", stdio(&["--tools", "1"])),
    ];
    let gateway = with_servers(&servers).start(&[]);
    for (name, word) in [("cursor", "repeats the cursor"), ("pages", "pages")] {
        let server = gateway.server_when(name, |server| server["state"] == "ready");
        let warnings = server["warnings"].to_string();
        assert!(warnings.contains(word), "{warnings}");
        assert_eq!(gateway.call(&format!("{name}__echo"), r#"{"text": "here"}"#).content(), "here");
    }
    assert_eq!(gateway.server("good").get("warnings"), None);
}

#[test]
fn a_malformed_tool_is_left_out_alone() {
    let (entries, _processes) = every_way(&["--malformed-tool"]);
    let gateway = with_servers(&entries).start(&[]);
    for (name, _) in &entries {
        let server = gateway.server_when(name, |server| server["state"] == "ready");
        assert_eq!(server["tool_count"], TOOLS.len(), "{server}");
        let rejected = server["rejected_tools"].as_array().expect("the malformed one is told");
        assert_eq!((rejected.len(), &rejected[0]["name"]), (1, &json!(MALFORMED_TOOL_NAME)), "{server}");
        assert!(!rejected[0]["reason"].as_str().expect("a reason").is_empty());
        gateway.call(&format!("{name}__{MALFORMED_TOOL_NAME}"), "{}").problem(404, "not_found");
        assert_eq!(gateway.call(&format!("{name}__echo"), r#"{"text": "here"}"#).content(), "here");
    }
    let names = gateway.tool_names();
    assert_eq!(names.len(), entries.len() * TOOLS.len());
    assert!(!names.iter().any(|name| name.ends_with(MALFORMED_TOOL_NAME)));
}

#[test]
fn a_server_that_dies_fails_its_own_calls_only() {
    let gateway = with_servers(&[("victim", stdio(&[])), ("other", stdio(&[]))]).start(&[]);
    gateway.wait_for(&["victim", "other"]);
    let (first, neighbour) = (whoami(&gateway, "victim")["pid"].clone(), whoami(&gateway, "other")["pid"].clone());

    // Killed from outside, with one call under way at each server.
    let mut hanging = Connection::open(&gateway.address).unwrap();
    hanging.send(&call("victim__hang", "{}")).unwrap();
    let mut slow = Connection::open(&gateway.address).unwrap();
    slow.send(&call("other__slow", r#"{"ms": 1000}"#)).unwrap();
    for server in ["victim", "other"] {
        gateway.ask_until("GET", "/metrics", "", &format!("mcp_gateway_calls_in_flight{{server=\"{server}\"}} 1"));
    }
    let id = Pid::from_raw(i32::try_from(first.as_i64().unwrap()).unwrap()).unwrap();
    let begun = Instant::now();
    kill_process(id, Signal::KILL).unwrap();
    let why = hanging.answer().unwrap().expect("an answer").problem(502, "upstream_failed");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(why.contains("SIGKILL") || why.contains("signal"), "{why}");
    let second = whoami(&gateway, "victim")["pid"].clone();
    assert_ne!(first, second);
    assert_eq!(slow.answer().unwrap().expect("an answer").content(), "done");

    // Dead by itself, in the middle of a call.
    let why = gateway.call("victim__die", "{}").problem(502, "upstream_failed");
    assert!(why.contains("exit status 3"), "{why}");
    assert_ne!(second, whoami(&gateway, "victim")["pid"]);
    assert_eq!(neighbour, whoami(&gateway, "other")["pid"]);
}

#[test]
fn a_server_on_the_network_may_restart() {
    type StartAt = fn(&str, &[&str]) -> ReferenceProcess;
    const HTTP: StartAt = ReferenceProcess::http_at;
    for (start_at, arguments) in [
        (HTTP, &["--era", "legacy"][..]),
        (HTTP, &["--era", "modern"]),
        (HTTP, &["--sse"]),
        (ReferenceProcess::old_sse_at, &[]),
    ] {
        let mut process = start_at("127.0.0.1:0", arguments);
        let address = process.address().to_owned();
        let gateway = with_servers(&[("it", at(process.url())), ("other", stdio(&[]))]).start(&[]);
        gateway.wait_for(&["it", "other"]);
        let first = whoami(&gateway, "it")["pid"].clone();

        let mut hanging = Connection::open(&gateway.address).unwrap();
        hanging.send(&call("it__hang", "{}")).unwrap();
        gateway.ask_until("GET", "/metrics", "", "mcp_gateway_calls_in_flight{server=\"it\"} 1");
        process.kill();
        hanging.answer().unwrap().expect("an answer").problem(502, "upstream_failed");
        // While it is away, callers are told at once.
        let begun = Instant::now();
        gateway.call("it__whoami", "{}").problem(503, "unavailable");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(gateway.call("other__echo", r#"{"text": "here"}"#).content(), "here");

        let _again = start_at(&address, arguments);
        let ask = || gateway.call("it__whoami", "{}");
        let answer = poll("the answer", ask, |answer| answer.status == 200);
        assert!(!answer.content().contains(&format!("\"pid\":{first}")), "{}", answer.content());
    }
}

#[test]
fn a_lost_session_is_begun_again_unseen() {
    for process in [ReferenceProcess::http(&[]), ReferenceProcess::http(&["--sse"]), ReferenceProcess::old_sse(&[])] {
        let gateway = with_servers(&[("it", at(process.url()))]).start(&[]);
        for round in 0..3 {
            let before = whoami(&gateway, "it")["connection"].clone();
            assert_eq!(gateway.call("it__forget", "{}").content(), "forgotten");
            // The server answers this one 404 in its old session.
            assert_eq!(gateway.call("it__echo", r#"{"text": "still here"}"#).content(), "still here", "{round}");
            assert_ne!(before, whoami(&gateway, "it")["connection"], "{round}");
        }
    }
}

#[test]
fn changed_lists_are_seen() {
    let (entries, _processes) = every_way(&[]);
    let gateway = with_servers(&entries).start(&[]);
    gateway.wait_for(&entries.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, _) in &entries {
        // Without a session there is no stream on which a legacy server could tell.
        if *name == "http-sessionless" {
            continue;
        }
        let tool = format!("weigh_{}", name.replace('-', "_"));
        gateway.call(&format!("{name}__add_tool"), &format!(r#"{{"name": "{tool}"}}"#)).content();
        let full = format!("{name}__{tool}");
        poll(&full, || gateway.tool_names(), |names| names.contains(&full));
        let found = gateway.post("/mcp/search", &format!(r#"{{"query": "weigh {name}", "limit": 1}}"#)).ok();
        assert_eq!(found["result"][0]["qualified_name"], full, "{found}");
        assert_eq!(gateway.call(&full, r#"{"text": "new"}"#).content(), "new");
    }
}

#[test]
fn what_the_servers_say_of_their_end_is_told() {
    let servers = [
        ("leaves", stdio(&["--exit-after-handshake", "--stderr", "no licence for today"])),
        ("missing", json!({ "command": "/nowhere/server" })),
        ("refuses", at(&format!("http://127.0.0.1:{}/mcp", free_port()))),
        ("good", stdio(&[])),
    ];
    let gateway = with_servers(&servers).start(&[]);
    gateway.wait_for(&["good"]);
    for (name, words) in [("leaves", "no licence for today"), ("missing", "/nowhere/server"), ("refuses", "refused")] {
        let server = gateway.server_when(name, |server| server.get("last_error").is_some());
        let error = server["last_error"].as_str().expect("text").to_owned();
        assert!(error.to_lowercase().contains(words), "{name}: {error}");
        let state = server["state"].as_str().expect("text").to_owned();
        assert!(["backing_off", "failed", "connecting", "degraded"].contains(&state.as_str()), "{server}");
    }
    assert_eq!(gateway.get("/health").ok()["status"], "degraded");
    assert_eq!(gateway.get("/readyz").ok()["status"], "ready");
}

/// How long the door takes for a list, a search and a call, the slowest of `rounds` and the middle one.
fn paces(gateway: &Running, rounds: usize) -> [(Duration, Duration); 3] {
    let mut connection = Connection::open(&gateway.address).unwrap();
    let requests = [
        crate::http::Request::get("/mcp/tools"),
        crate::http::Request::post("/mcp/search", r#"{"query": "returns the text that it is given"}"#),
        call("healthy__echo", r#"{"text": "quick"}"#),
    ];
    requests.map(|request| {
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let begun = Instant::now();
                connection.send(&request).unwrap();
                let answer = connection.answer().unwrap().expect("an answer");
                assert!(answer.ok().to_string().contains("healthy"), "{}", answer.text());
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        (times[rounds - 1], times[rounds / 2])
    })
}

#[test]
fn servers_that_never_answer_hold_nobody_up() {
    const ROUNDS: usize = 100;
    let alone = with_servers(&[("healthy", stdio(&[]))]).start(&[]);
    alone.wait_for(&["healthy"]);
    let expected = paces(&alone, ROUNDS);

    let mute = ReferenceProcess::http(&["--hang-handshake"]);
    let servers = [
        ("mute", stdio(&["--hang-handshake"])),
        ("mute-http", at(mute.url())),
        ("dead", json!({ "command": "false" })),
        ("dead-http", at(&format!("http://127.0.0.1:{}/mcp", free_port()))),
        ("healthy", stdio(&[])),
    ];
    let gateway = with_servers(&servers).start(&[]);
    // From the first moment, while nothing is connected yet.
    let begun = Instant::now();
    gateway.get("/mcp/tools").ok();
    gateway.post("/mcp/search", r#"{"query": "echo"}"#).ok();
    assert_eq!(gateway.call("healthy__echo", r#"{"text": "first"}"#).content(), "first");
    assert_eq!(gateway.call("echo", r#"{"text": "plain"}"#).content(), "plain");
    let first = begun.elapsed();
    println!("the first answers: {first:?}");
    // The handshake of the others may take 30 s.
    assert!(first < Duration::from_secs(2), "{first:?}");
    gateway.wait_for(&["healthy"]);

    let found = paces(&gateway, ROUNDS);
    for ((what, (slowest, middle)), (_, usual)) in ["list", "search", "call"].into_iter().zip(found).zip(expected) {
        println!("{what}: {middle:?} (alone {usual:?}), the slowest {slowest:?}");
        assert!(slowest < Duration::from_secs(2), "{what}: {slowest:?}");
        assert!(middle < usual * 4 + Duration::from_millis(20), "{what}: {middle:?} instead of {usual:?}");
    }

    // Who wants the others is told in time.
    let impatient = |server: &str| format!(r#"{{"tool_name": "{server}__echo", "timeout_ms": 300}}"#);
    for server in ["mute", "mute-http"] {
        assert_eq!(gateway.server(server)["state"], "connecting", "{server}");
        gateway.post("/mcp/execute", &impatient(server)).problem(408, "deadline_exceeded");
    }
    for server in ["dead", "dead-http"] {
        let begun = Instant::now();
        let answer = gateway.call(&format!("{server}__echo"), "{}");
        answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{server}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{server}: {:?}", begun.elapsed());
    }
}
