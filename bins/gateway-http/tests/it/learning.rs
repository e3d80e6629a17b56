//! A gateway that learns from use.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::gateway::{Place, Running};
use crate::upstreams::{stdio, with_servers};

/// Fits two tools of the reference server nearly alike.
const QUERY: &str = "everything that came along with the call";

/// The tool that stands behind the other one of the two, as it is found.
fn passed_over(gateway: &Running) -> Value {
    let found = search(gateway);
    let mut alike = found.iter().filter(|found| found["tool_name"] == "params" || found["tool_name"] == "forget");
    alike.next_back().expect("both are found").clone()
}

fn search(gateway: &Running) -> Vec<Value> {
    let request = json!({ "query": QUERY, "limit": 5 }).to_string();
    gateway.post("/mcp/search", &request).ok()["result"].as_array().expect("a list").clone()
}

/// Whether `tool` is found with a higher score, and why.
fn is_raised(found: &[Value], tool: &Value) -> bool {
    let now = found.iter().find(|found| found["tool_name"] == tool["tool_name"]).expect("is still found");
    let why = now["reasoning"].as_str().expect("a reason");
    now["match_score"].as_f64() > tool["match_score"].as_f64() && why.ends_with("; chosen before for such requests")
}

fn run(gateway: &Running, tool: &Value) {
    gateway.call(tool["tool_name"].as_str().expect("a name"), "{}").ok();
}

fn place() -> Place {
    with_servers(&[("reference", stdio(&[]))])
}

#[test]
fn what_was_run_after_a_search_is_raised_also_after_a_restart() {
    let place = place().variable("GATEWAY__SEARCH__LEARN", "true").variable("GATEWAY__DATA__DIR", "data");
    let mut gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    let tool = passed_over(&gateway);
    run(&gateway, &tool);
    let after = search(&gateway);
    assert!(is_raised(&after, &tool), "{tool} {after:?}");
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().code(), Some(0));

    let file = place.path().join("data/uses.json");
    let text = fs::read_to_string(&file).expect("it was saved");
    assert!(!text.contains("everything") && !text.contains("reference"), "{text}");
    let mut gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    assert_eq!(search(&gateway), after);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().code(), Some(0));

    // What cannot be read is not written over.
    fs::write(&file, "{").expect("writes");
    let said = place.run(&["--port", "0"]);
    assert_eq!(said.status, Some(1));
    assert!(said.err.contains("failed to read what was learned") && said.err.contains("uses.json"), "{}", said.err);
    assert_eq!(fs::read_to_string(&file).expect("reads"), "{");
}

#[test]
fn nothing_is_learned_unasked() {
    let place = place().variable("GATEWAY__DATA__DIR", "data");
    let gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    let before = search(&gateway);
    run(&gateway, &passed_over(&gateway));
    assert_eq!(search(&gateway), before);
    assert!(!place.path().join("data/uses.json").exists());
}

#[test]
fn without_a_directory_it_is_learned_for_as_long_as_the_gateway_runs() {
    let place = place().variable("GATEWAY__SEARCH__LEARN", "true");
    let gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    let tool = passed_over(&gateway);
    run(&gateway, &tool);
    assert!(is_raised(&search(&gateway), &tool));
}
