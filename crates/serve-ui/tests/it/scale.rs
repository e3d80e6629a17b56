//! Many tools.

use std::time::Instant;

use gateway_testkit::fakes::{Answer, FakeServer};
use serde_json::json;

use crate::harness::{Dashboard, Setup};

#[tokio::test]
async fn two_thousand_tools_are_a_page_at_a_time() {
    let mut server = FakeServer::new();
    for number in 0..2000 {
        server =
            server.with_tool(&format!("tool_{number:04}"), &format!("Does the thing number {number}"), Answer::echo());
    }
    let dashboard = Dashboard::with(Setup { servers: vec![("many", server)], ..Setup::default() }, |door| door).await;
    let begun = Instant::now();
    let first = dashboard.fragment("tools", json!({})).await;
    let last = dashboard.fragment("tools", json!({"page": 40})).await;
    let filtered = dashboard.fragment("tools", json!({"filter": "number 1999"})).await;
    // A debug build on a busy machine; it is some 20 ms.
    assert!(begun.elapsed().as_millis() < 5000, "{:?}", begun.elapsed());
    assert_eq!(first.matches("<li class=\"row\">").count(), 50);
    assert!(
        first.contains("2,004 tools") && first.contains("1–50 of 2004") && first.len() < 100_000,
        "{}",
        first.len()
    );
    assert_eq!(last.matches("<li class=\"row\">").count(), 4);
    assert!(filtered.contains("1 of 2,004 tools") && filtered.contains("tool_1999"), "{filtered}");
}
