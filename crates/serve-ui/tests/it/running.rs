//! Finding tools and running them.

use serde_json::{Value, json};

use crate::harness::Dashboard;

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test]
async fn tools_are_listed_filtered_and_searched() {
    let dashboard = Dashboard::open().await;
    let all = dashboard.fragment("tools", json!({})).await;
    has(&all, &["4 tools", "echo", "read-only", "destructive", "&lt;img src=x onerror=alert(1)&gt;"]);
    assert!(!all.contains("<img"), "{all}");
    let some = dashboard.fragment("tools", json!({"filter": " DELETES everything "})).await;
    has(&some, &["1 of 4 tools", "wipe"]);
    has(&dashboard.fragment("tools", json!({"server": "other"})).await, &["No tool matches"]);
    let found = dashboard.fragment("tools/search", json!({"query": "repeat a message"})).await;
    has(&found, &["found by the router <b>keyword</b> in <b>", "class=\"score\"", "echo", "class=\"reason\""]);
    has(&dashboard.fragment("tools/search", json!({"query": "bake a cake"})).await, &["Nothing fits"]);
    assert_eq!(dashboard.fragment("tools/search", json!({"query": " "})).await, "");
}

#[tokio::test]
async fn a_tool_has_a_form_that_runs_it() {
    let dashboard = Dashboard::open().await;
    let form = dashboard.fragment("tools/form", json!({"tool": "demo__echo"})).await;
    has(
        &form,
        &["name=\"/message\" rows=\"3\" required", "name=\"/times\" value=\"1\"", "name=\"/loud\"", "what to say"],
    );
    let run = async |body: Value| dashboard.fragment("tools/run", body).await;
    let fields = json!({"/message": "<b>hi", "/times": "2", "/loud": ""});
    let answer = run(json!({"tool": "demo__echo", "how": "form", "fields": fields})).await;
    has(&answer, &[r#"{"message":"&lt;b&gt;hi","times":2}"#.replace('"', "&quot;").as_str(), ">ok<"]);
    let answer = run(json!({"tool": "demo__echo", "how": "json", "json": " {\"x\" : 1.0} "})).await;
    has(&answer, &["{&quot;x&quot; : 1.0}"]);
    let answer = run(json!({"tool": "demo__echo", "how": "form", "fields": {"/times": "x"}})).await;
    has(&answer, &["data-mistake=\"/message\"", "is required", "must be a whole number"]);
    let answer = run(json!({"tool": "demo__echo", "how": "json", "json": "[]"})).await;
    has(&answer, &["invalid_arguments"]);
    let bad = dashboard.ask("tools/run", &json!({"tool": "demo__echo", "how": "json", "json": "{"})).await;
    assert_eq!(bad.status, 400);
    let unknown = dashboard.ask("tools/form", &json!({"tool": "demo__nothing"})).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn results_are_shown_as_what_they_are() {
    let dashboard = Dashboard::open().await;
    let run = async |tool: &str| dashboard.fragment("tools/run", json!({"tool": tool, "how": "form"})).await;
    has(&run("demo__picture").await, &["<img src=\"data:image/png;base64,iVBORw0KGgo=\"", "&quot;uri&quot;"]);
    let failed = run("demo__fail").await;
    has(&failed, &["the tool failed", "&lt;script&gt;no"]);
    assert!(!failed.contains("<script"), "{failed}");
    dashboard.demo.kill();
}

#[tokio::test]
async fn what_destroys_is_confirmed_first() {
    let dashboard = Dashboard::open().await;
    let form = dashboard.fragment("tools/form", json!({"tool": "demo__wipe"})).await;
    has(&form, &["name=\"confirmed\" required"]);
    let refused = dashboard.ask("tools/run", &json!({"tool": "demo__wipe", "how": "form"})).await;
    assert_eq!((refused.status, dashboard.demo.calls()), (400, 0), "{refused:?}");
    let done = dashboard.fragment("tools/run", json!({"tool": "demo__wipe", "how": "form", "confirmed": true})).await;
    has(&done, &[">ok<"]);
    assert_eq!(dashboard.demo.calls(), 1);
}
