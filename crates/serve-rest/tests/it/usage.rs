//! `GET /usage` tells what was used.

use http_server::HttpServerConfig;
use serde_json::{Value, json};
use serve_rest::{Metrics, RestConfig, RestDoor};
use tower::ServiceExt as _;

use crate::harness::{Door, Request};

fn rows(list: &Value) -> Vec<(&str, u64)> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["key"].as_str().expect("a key"), row["counts"]["calls"].as_u64().expect("a number")))
        .collect()
}

#[tokio::test]
async fn what_was_used_is_told() {
    let door = Door::open().await;
    for tool in ["echo", "echo", "fail"] {
        door.post("/mcp/execute", &format!(r#"{{"tool_name":"{tool}"}}"#)).await.ok();
    }
    let hasty = r#"{"tool_name":"hang","timeout_ms":5}"#;
    door.post("/mcp/execute", hasty).await.problem(408, "deadline_exceeded");
    door.post("/mcp/search", r#"{"query":"zzz qqq"}"#).await.ok();
    let usage = door.get("/usage").await.ok();
    assert_eq!(rows(&usage["groups"]), [("demo/echo", 2), ("demo/fail", 1), ("demo/hang", 1)]);
    assert_eq!(rows(&usage["failing"]), [("demo/fail", 1), ("demo/hang", 1)]);
    assert_eq!(usage["failing"][1]["counts"]["errors_by_kind"], json!({"deadline_exceeded": 1}));
    assert_eq!((&usage["total"]["calls"], &usage["total"]["tool_errors"]), (&json!(4), &json!(1)));
    assert_eq!(usage["unused"], json!(["demo/odd", "demo/slow", "demo/steps"]));
    assert_eq!(usage["searches"]["unmatched_queries"], json!([{"query": "zzz qqq", "count": 1}]));
    assert_eq!((&usage["group"], &usage["window_seconds"]), (&json!("tool"), &json!(3600)));
    assert!(usage["total"]["latency"]["max_ms"].as_f64().expect("a number") > 0.0);

    let usage = door.get("/usage?group=door&window=24h&limit=1").await.ok();
    assert_eq!(rows(&usage["groups"]), [("rest", 4)]);
    assert_eq!((&usage["unused"], &usage["unused_total"]), (&json!(["demo/odd"]), &json!(3)));
    assert_eq!(usage["group"], "door");
}

#[tokio::test]
async fn what_is_unused_is_the_sessions_own() {
    let door = Door::open().await;
    let session = door.post("/sessions/create", "").await.ok()["session_id"].as_str().expect("an id").to_owned();
    let inside = |request: Request| request.with("X-Session-ID", &session);
    let add = r#"{"config_data":{"mcpServers":{"more":{"url":"http://127.0.0.1:1/mcp","transport":"fake"}}}}"#;
    assert_eq!(door.ask(&inside(Request::post("/mcp/servers/add", add))).await.ok()["success"], true);
    door.ask(&inside(Request::post("/mcp/execute", r#"{"tool_name":"echo"}"#))).await.ok();
    let usage = door.ask(&inside(Request::new("GET", "/usage?group=session"))).await.ok();
    assert!(usage["unused"].as_array().expect("a list").contains(&json!("more/extra")), "{usage}");
    assert_eq!(rows(&usage["groups"]), [(session.as_str(), 1)]);
    let usage = door.get("/usage").await.ok();
    assert!(!usage["unused"].as_array().expect("a list").contains(&json!("more/extra")), "{usage}");
    door.ask(&Request::new("GET", "/usage").with("X-Session-ID", "sess_none")).await.problem(404, "not_found");
}

#[tokio::test]
async fn wrong_questions_are_refused() {
    let door = Door::open().await;
    for (query, field) in [
        ("window=soon", "window"),
        ("window=31d", "window"),
        ("window=9999999999999999999", "window"),
        ("group=color", "group"),
        ("limit=-1", "limit"),
        ("limit=5&limit=6", "limit"),
        ("window=%ff%fe", "window"),
    ] {
        let message = door.get(&format!("/usage?{query}")).await.problem(400, "invalid_request");
        assert!(message.contains(field), "{message}");
    }
    door.post("/usage", "{}").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_gateway_that_counts_nothing_says_so() {
    let door = Door::open().await;
    let rest = RestDoor::new(door.gateway.clone(), RestConfig::default(), Metrics::new("text/plain", String::new));
    let request = http::Request::get("/usage").header("Host", "localhost").body(axum::body::Body::empty());
    let router = rest.into_router(HttpServerConfig::default());
    let response = router.oneshot(request.expect("a request")).await.expect("an answer");
    assert_eq!(response.status(), 404);
}
