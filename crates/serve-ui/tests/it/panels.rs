//! What the panels show.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, QueueDepth, UsageGroup};
use gateway_testkit::fakes::FakeServer;
use serde_json::json;

use crate::fakes::{FakeQueue, FakeUsage};
use crate::harness::{Dashboard, Setup};

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[tokio::test]
async fn the_overview_says_how_things_are() {
    let broken = FakeServer::new().with_failed_connects(&[Some(ErrorKind::InvalidRequest); 9]);
    let setup = Setup { servers: vec![("broken", broken)], ..Setup::default() };
    let usage = FakeUsage::new();
    let queue = Arc::new(FakeQueue(Some(QueueDepth { waiting: 1234, claimed: 5, dead: 6 })));
    let dashboard = Dashboard::with(setup, |door| door.with_usage(usage.clone()).with_queue(queue)).await;
    let text = dashboard.fragment("overview", json!({"window": "900"})).await;
    has(&text, &["Degraded", "1<span class=\"of\">/2</span>", "broken", "The fake refuses"]);
    has(&text, &["1,200 calls", "12.5 ms", "p95 80 ms", "chart-rate", "chart-latency", "chart-errors"]);
    has(&text, &["1,234", "demo/&lt;b&gt;echo"]);
    let asked = usage.asked.lock().unwrap().remove(0);
    assert_eq!((asked.window, asked.group), (Duration::from_secs(900), UsageGroup::Tool));
    // A window that the page does not offer is the hour.
    dashboard.fragment("overview", json!({"window": "1' OR 1"})).await;
    assert_eq!(usage.asked.lock().unwrap()[0].window, Duration::from_secs(3600));
}

#[tokio::test]
async fn what_is_missing_says_how_to_switch_it_on() {
    let dashboard = Dashboard::open().await;
    let text = dashboard.fragment("overview", json!({})).await;
    has(&text, &["Healthy", "usage.enabled", "queue.kind"]);
    has(&dashboard.fragment("usage", json!({})).await, &["usage.enabled"]);
    let live = dashboard.ask("live", &json!({})).await;
    assert_eq!(live.status, 404, "{live:?}");
}

#[tokio::test]
async fn a_part_that_fails_hides_no_other() {
    let dashboard = Dashboard::with(Setup::default(), |door| {
        door.with_usage(FakeUsage::new()).with_queue(Arc::new(FakeQueue(None)))
    })
    .await;
    let text = dashboard.fragment("overview", json!({"window": "604800"})).await;
    has(&text, &["Healthy", "Only a day is kept", "Cannot reach the &lt;broker&gt;"]);
    let usage = dashboard.ask("usage", &json!({"window": "604800"})).await;
    assert_eq!(usage.status, 400);
    has(&usage.body, &["Only a day is kept", "role=\"alert\""]);
}

#[tokio::test]
async fn usage_is_shown_by_any_group() {
    let usage = FakeUsage::new();
    let dashboard = Dashboard::with(Setup::default(), |door| door.with_usage(usage.clone())).await;
    let text = dashboard.fragment("usage", json!({"window": "86400", "group": "door"})).await;
    has(&text, &["By door", "the default session", "demo/fail", "demo/slow", "and 2 more"]);
    has(&text, &["bake &lt;i&gt;a cake", "3×", "say it again", "9×"]);
    assert_eq!(usage.asked.lock().unwrap()[0].group, UsageGroup::Door);
}

#[tokio::test]
async fn servers_are_shown_with_what_they_last_said_and_removed() {
    let dashboard = Dashboard::open().await;
    dashboard.demo.events()[0].wrote("could not open <the file>");
    let text = dashboard.fragment("servers", json!({})).await;
    has(&text, &["demo", "ready", "2025-11-25", "could not open &lt;the file&gt;", "last 1 line"]);
    has(&dashboard.fragment("servers", json!({"filter": " nothing "})).await, &["No server matches"]);
    let uuid = dashboard.gateway.health().servers[0].spec.uuid();
    let gone = dashboard.fragment("servers/remove", json!({"uuid": uuid})).await;
    has(&gone, &["<b>demo</b> is gone", "4 tools"]);
    has(&dashboard.fragment("servers", json!({})).await, &["No servers yet"]);
    has(&dashboard.fragment("tools", json!({})).await, &["No tools yet"]);
    let again = dashboard.ask("servers/remove", &json!({"uuid": uuid})).await;
    assert_eq!(again.status, 404, "{again:?}");
}

#[tokio::test]
async fn lists_of_servers_are_added_with_each_mistake() {
    let dashboard = Dashboard::open().await;
    let list = json!({"mcpServers": {
        "one": {"url": "https://host.example/mcp"}, "demo": {"url": "https://host.example/x"},
        "env": {"url": "https://host.example/${HOME}"}, "<b>": {"url": "gopher://x"}}});
    let body = json!({"how": "json", "json": list.to_string()});
    let text = dashboard.fragment("servers/add", body).await;
    has(&text, &["Added <b>one</b>", "<b>demo</b>:", "<b>env</b>:", "<b>&lt;b&gt;</b>:"]);
    let broken = dashboard.ask("servers/add", &json!({"how": "json", "json": "{"})).await;
    assert_eq!(broken.status, 400);
    has(&broken.body, &["is not valid JSON"]);
    let empty = dashboard.ask("servers/add", &json!({"how": "url", "name": " "})).await;
    has(&empty.body, &["The name is missing"]);
}

#[tokio::test]
async fn sessions_are_made_shown_used_and_ended() {
    let dashboard = Dashboard::open().await;
    has(&dashboard.fragment("sessions", json!({})).await, &["No sessions"]);
    let made =
        dashboard.fragment("sessions/create", json!({"ttl_minutes": "5", "metadata": r#"{"for":"<me>"}"#})).await;
    let (_, id) = made.split_once("<code>").expect("an id");
    let id = id.split_once('<').expect("an end").0.to_owned();
    has(&dashboard.fragment("sessions", json!({})).await, &[&id, "in 4 minutes"]);
    has(&dashboard.fragment("sessions/show", json!({"id": id})).await, &["demo", "&lt;me&gt;"]);
    // The page in that session.
    let mut head = dashboard.request("servers/add");
    head.headers.insert("x-session-id", id.parse().unwrap());
    let body = json!({"how": "url", "name": "mine", "url": "https://host.example/mcp"}).to_string();
    has(&dashboard.send(&head, &body).await.body, &["Added <b>mine</b>"]);
    assert!(!dashboard.fragment("servers", json!({})).await.contains("mine"), "it is in that session only");
    has(&dashboard.fragment("sessions/delete", json!({"id": id})).await, &["has ended"]);
    for (path, body) in [("sessions/show", json!({"id": id})), ("sessions/delete", json!({"id": "../x"}))] {
        assert_eq!(dashboard.ask(path, &body).await.status, 404);
    }
    for body in
        [json!({"ttl_minutes": "0"}), json!({"ttl_minutes": "x"}), json!({"metadata": "{"}), json!({"metadata": "[]"})]
    {
        assert_eq!(dashboard.ask("sessions/create", &body).await.status, 400, "{body}");
    }
}
