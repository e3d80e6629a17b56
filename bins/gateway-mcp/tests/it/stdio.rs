//! Standard input and output in front of a server that others wrote.

use std::time::{Duration, Instant};

use gateway_testkit::reference::ReferenceProcess;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::everything::{Everything, free_port};
use crate::program::{Place, greeted};

#[track_caller]
fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

#[track_caller]
fn error(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error in {answer}"))
}

#[test]
fn a_client_does_everything_and_leaves() {
    let server = Everything::start();
    let mut client = greeted(&server.url());
    let tools = client.ask("tools/list", &json!({}));
    let names: Vec<_> = tools["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert!(names.contains(&&"get-sum".into()), "{tools}");
    assert_eq!(text(&client.call("get-sum", &json!({ "a": 2, "b": 3 }))), "The sum of 2 and 3 is 5.");
    assert!(client.ask("prompts/list", &json!({}))["result"]["prompts"].is_array());
    assert!(client.ask("resources/list", &json!({}))["result"]["resources"].is_array());
    assert_eq!(client.ask("un/heard.of", &json!({}))["error"]["code"], -32601);
    // Progress, in order and before the result.
    let params = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 0.5, "steps": 5 }, "_meta": { "progressToken": 7 } });
    let id = client.begin("tools/call", &params);
    for step in 1..=5 {
        let progress = client.hear_until(|message| message["method"] != "notifications/tools/list_changed");
        assert_eq!((&progress["params"]["progress"], &progress["params"]["progressToken"]), (&step.into(), &7.into()));
    }
    assert!(text(&client.answer(id)).contains("completed"));
    // A message of a megabyte, there and back.
    let long = "x".repeat(1_000_000);
    assert_eq!(text(&client.call("echo", &json!({ "message": long }))).len(), long.len() + "Echo: ".len());
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
    assert_eq!(client.rest(), Vec::<String>::new());
}

#[test]
fn questions_reach_the_client() {
    let server = Everything::start();
    let mut client = greeted(&server.url());
    let id = client.begin(
        "tools/call",
        &json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "hello", "maxTokens": 5 } }),
    );
    let question = client.hear_until(|message| message["method"] == "sampling/createMessage");
    assert!(question["params"]["messages"].to_string().contains("hello"), "{question}");
    let content = json!({ "type": "text", "text": "a sample" });
    client.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "role": "assistant", "model": "m", "content": content } }));
    assert!(text(&client.answer(id)).contains("a sample"));
    let id = client.begin("tools/call", &json!({ "name": "trigger-elicitation-request", "arguments": {} }));
    let question = client.hear_until(|message| message["method"] == "elicitation/create");
    client.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "decline" } }));
    assert!(client.answer(id)["result"]["content"].to_string().contains("decline"));
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn cancelling_ends_a_call_and_nothing_else() {
    let server = Everything::start();
    let mut client = greeted(&server.url());
    let params = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 600, "steps": 600 }, "_meta": { "progressToken": 1 } });
    let id = client.begin("tools/call", &params);
    client.hear_until(|message| message["method"] == "notifications/progress");
    client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    assert_eq!(text(&client.call("echo", &json!({ "message": "on" }))), "Echo: on");
    let begin = Instant::now();
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn requests_run_side_by_side() {
    let server = Everything::start();
    let mut client = greeted(&server.url());
    let begin = Instant::now();
    let params = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 1, "steps": 1 } });
    let mut waiting: Vec<_> = (0..200).map(|_| client.begin("tools/call", &params)).collect();
    while !waiting.is_empty() {
        let answer = client.hear_until(|message| message["id"].is_u64());
        assert!(text(&answer).contains("completed"));
        waiting.retain(|id| answer["id"] != *id);
    }
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn a_restart_in_the_middle_costs_what_was_under_way_and_no_more() {
    let mut server = Everything::start();
    let mut client = greeted(&server.url());
    let params = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 600, "steps": 600 }, "_meta": { "progressToken": 1 } });
    let lost = client.begin("tools/call", &params);
    client.hear_until(|message| message["method"] == "notifications/progress");
    server.kill();
    assert!(error(&client.call("echo", &json!({ "message": "x" }))).contains("cannot reach the gateway"));
    server.start_again();
    // The session is opened anew without the client.
    assert_eq!(text(&client.call("echo", &json!({ "message": "back" }))), "Echo: back");
    // The call that was under way cannot be taken up: its answer is an error, and comes by itself.
    client.begin("ping", &json!({}));
    let end = Instant::now() + Duration::from_secs(25);
    let mut answered = false;
    while !answered {
        assert!(Instant::now() < end, "no answer to {lost}");
        answered = client.hear()["id"] == lost;
    }
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn a_gateway_that_is_down_is_told_of_and_used_when_it_is_there() {
    let port = free_port();
    let mut client = Place::new().start(&["--stdio", "--gateway-url", &format!("http://127.0.0.1:{port}")]);
    let answer = client.ask(
        "initialize",
        &json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } }),
    );
    assert!(error(&answer).contains(&format!("cannot reach the gateway at http://127.0.0.1:{port}")), "{answer}");
    let _server = ReferenceProcess::http_at(&format!("127.0.0.1:{port}"), &[]);
    client.greet();
    assert_eq!(text(&client.call("echo", &json!({ "text": "here" }))), "here");
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn settings_reach_the_gateway() {
    let server = ReferenceProcess::http(&[]);
    let place = Place::new()
        .variable("GATEWAY_URL", server.url())
        .variable("GATEWAY_URL_API_KEY", "k3y")
        .variable("GATEWAY_API_KEY", "of-others-0123456789")
        .variable("GATEWAY_SESSION", "sess_1");
    let mut client = place.start(&["--stdio"]);
    client.greet();
    let headers: Value = serde_json::from_str(text(&client.call("headers", &json!({})))).unwrap();
    assert_eq!((&headers["authorization"], &headers["x-session-id"]), (&"Bearer k3y".into(), &"sess_1".into()));
    client.hang_up();
    assert_eq!(client.end().code(), Some(0));
}

#[test]
fn signals_end_it_while_its_input_goes_on() {
    let server = ReferenceProcess::http(&[]);
    for signal in [Signal::TERM, Signal::INT] {
        let mut client = greeted(server.url());
        let id = client.begin("tools/call", &json!({ "name": "hang" }));
        client.call("echo", &json!({ "text": "x" }));
        client.signal(signal);
        assert!(error(&client.answer(id)).contains("has ended"));
        assert_eq!(client.end().code(), Some(0));
    }
}
