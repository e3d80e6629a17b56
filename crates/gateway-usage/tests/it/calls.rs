//! Calls are counted however they end, and under everything they belong to.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Admission, ErrorKind, NewSession, UsageCounts, UsageGroup};
use gateway_testkit::fakes::{Answer, FakeServer};

use crate::harness::{Counted, rows};

fn server() -> FakeServer {
    FakeServer::new()
        .with_tool("echo", "Repeats", Answer::echo().after(Duration::from_millis(30)))
        .with_tool("broken", "Breaks", Answer::error(ErrorKind::UpstreamFailed, "it broke"))
        .with_tool("cancelled", "Gives up", Answer::error(ErrorKind::Cancelled, "cancelled"))
        .with_tool("fail", "Fails", Answer::result(r#"{"content":[],"isError":true}"#))
        .with_tool("hang", "Hangs", Answer::hang())
        .with_tool("idle", "Is never called", Answer::echo())
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_however_they_end() {
    let server = server();
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    for _ in 0..3 {
        counted.call(&caller, "echo", r#"{"text":"é"}"#).await.expect("answered");
    }
    for tool in ["broken", "cancelled"] {
        counted.call(&caller, tool, "{}").await.expect_err("it fails");
    }
    counted.call(&caller, "fail", "{}").await.expect("a reply");
    // The caller goes away.
    let mut hanging = Box::pin(counted.call(&caller, "hang", "{}"));
    assert!(futures_util::poll!(&mut hanging).is_pending());
    drop(hanging);
    // The caller's own time is over.
    let admission = Admission { timeout: Some(Duration::from_millis(70)), ..Admission::default() };
    let hasty = counted.gateway.admit(admission).await.expect("anybody may");
    counted.call(&hasty, "hang", "{}").await.expect_err("too late");
    // What never reaches a tool is no call of one.
    counted.call(&caller, "nobody", "{}").await.expect_err("no such tool");

    let report = counted.report(15, UsageGroup::Tool).await;
    let UsageCounts { calls, errors, tool_errors, cancelled, .. } = report.total;
    assert_eq!((calls, errors, tool_errors, cancelled), (8, 2, 1, 2));
    assert_eq!(report.total.errors_by_kind, [(ErrorKind::DeadlineExceeded, 1), (ErrorKind::UpstreamFailed, 1)]);
    let groups: Vec<_> = report.groups.iter().map(|row| (row.key.as_str(), row.counts.calls)).collect();
    assert_eq!(groups, [("a/echo", 3), ("a/hang", 2), ("a/broken", 1), ("a/cancelled", 1), ("a/fail", 1)]);
    let failing: Vec<_> =
        report.failing.iter().map(|row| (row.key.as_str(), row.counts.errors, row.counts.tool_errors)).collect();
    assert_eq!(failing, [("a/broken", 1, 0), ("a/fail", 0, 1), ("a/hang", 1, 0)]);
    assert_eq!((report.unused.as_slice(), report.unused_total), (["a/idle".to_owned()].as_slice(), 1));

    let echo = &report.groups[0].counts;
    let (arguments, result) = (r#"{"text":"é"}"#, r#"{"content":[{"text":"{\"text\":\"é\"}","type":"text"}]}"#);
    assert_eq!(echo.request_bytes, 3 * arguments.len() as u64);
    assert_eq!(echo.response_bytes, 3 * result.len() as u64);
    assert_eq!(echo.tokens, (3 * (arguments.chars().count() + result.chars().count()) / 4) as u64);
    let slow: Vec<_> = report.slow.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(slow[..2], ["a/hang", "a/echo"]);
    let latency = report.slow[1].counts.latency;
    assert!((latency.p50_ms - 30.0).abs() < 0.3 && (latency.p99_ms - 30.0).abs() < 0.3, "{latency:?}");
    assert!((latency.mean_ms - 30.0).abs() < 0.01 && (latency.max_ms - 30.0).abs() < 0.01, "{latency:?}");
    assert!((report.total.latency.max_ms - 70.0).abs() < 1.0, "{:?}", report.total.latency);
}

#[tokio::test]
async fn calls_are_counted_by_all_they_belong_to() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let counted = Counted::new(&[("a", &server), ("b", &server)]).await;
    let rest = counted.caller("rest", None).await;
    let session = counted.gateway.create_session(&rest, NewSession::default()).await.expect("there is room").id;
    let mcp = counted.caller("mcp", Some(session.clone())).await;
    for (caller, tool, times) in [(&rest, "a__echo", 1), (&rest, "b__echo", 2), (&mcp, "b__echo", 4)] {
        for _ in 0..times {
            counted.call(caller, tool, "{}").await.expect("answered");
        }
    }
    for (group, expected) in [
        (UsageGroup::Tool, rows(&[("b/echo", 6), ("a/echo", 1)])),
        (UsageGroup::Server, rows(&[("b", 6), ("a", 1)])),
        (UsageGroup::Session, rows(&[(&session, 4), ("", 3)])),
        (UsageGroup::Caller, rows(&[("anonymous", 7)])),
        (UsageGroup::Door, rows(&[("mcp", 4), ("rest", 3)])),
    ] {
        assert_eq!(counted.calls(15, group).await, expected, "{group:?}");
    }
}

#[tokio::test]
async fn searches_are_counted_with_what_they_led_to() {
    let server = FakeServer::new().with_tool("echo", "repeats a message", Answer::echo()).with_tool(
        "weather",
        "forecast",
        Answer::echo(),
    );
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    for query in ["Repeat  a MESSAGE", "repeat a message"] {
        assert_eq!(counted.search(&caller, query).await, 1);
        counted.call(&caller, "echo", "{}").await.expect("answered");
    }
    for query in ["book a flight", "Book a flight", "unknown"] {
        assert_eq!(counted.search(&caller, query).await, 0);
    }
    let report = counted.report(15, UsageGroup::Tool).await;
    let searches = &report.searches;
    assert_eq!((searches.total, searches.without_match), (5, 3));
    let unmatched: Vec<_> =
        searches.unmatched_queries.iter().map(|found| (found.query.as_str(), found.count)).collect();
    assert_eq!(unmatched, [("book a flight", 2), ("unknown", 1)]);
    let led: Vec<_> = searches.led_to.iter().map(|led| (led.query.as_str(), led.tool.as_str(), led.count)).collect();
    assert_eq!(led, [("repeat a message", "a/echo", 2)]);
    assert!(searches.latency.max_ms > 0.0);
    assert_eq!(report.series.iter().map(|point| point.searches).sum::<u64>(), 5);
    // Searches alone are no calls.
    assert_eq!(report.total.calls, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_among_threads_and_reports() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo()).with_tool(
        "fail",
        "",
        Answer::error(ErrorKind::Unavailable, "away"),
    );
    let counted = Arc::new(Counted::new(&[("a", &server)]).await);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16 {
        let counted = Arc::clone(&counted);
        tasks.spawn(async move {
            let caller = counted.caller("rest", None).await;
            for call in 0..500_u64 {
                let tool = if call % 5 == 0 { "fail" } else { "echo" };
                let _ = counted.call(&caller, tool, "{}").await;
                if call % 50 == 0 && task == 0 {
                    counted.clock.advance(30);
                }
                if call % 100 == 0 && task == 1 {
                    counted.report(180, UsageGroup::Tool).await;
                }
            }
        });
    }
    tasks.join_all().await;
    for minutes in [180, 24 * 60] {
        let report = counted.report(minutes, UsageGroup::Tool).await;
        assert_eq!((report.total.calls, report.total.errors), (8_000, 1_600));
        assert_eq!(report.series.iter().map(|point| point.counts.calls).sum::<u64>(), 8_000);
        assert_eq!(counted.calls(minutes, UsageGroup::Tool).await, rows(&[("a/echo", 6_400), ("a/fail", 1_600)]));
    }
}
