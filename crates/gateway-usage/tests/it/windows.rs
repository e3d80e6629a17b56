//! What a window has in it.

use std::time::{Duration, SystemTime};

use gateway_core::{ErrorKind, Usage as _, UsageGroup, UsageQuery};
use gateway_testkit::fakes::{Answer, FakeServer};

use crate::harness::{Counted, NOON, rows};

#[tokio::test]
async fn windows_have_what_happened_in_them() {
    let server = FakeServer::new().with_tool("early", "", Answer::echo()).with_tool("late", "", Answer::echo());
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    counted.call(&caller, "early", "{}").await.expect("answered");
    counted.clock.advance(20 * 60);
    for _ in 0..2 {
        counted.call(&caller, "late", "{}").await.expect("answered");
    }
    let both = rows(&[("a/late", 2), ("a/early", 1)]);
    assert_eq!(counted.calls(15, UsageGroup::Tool).await, rows(&[("a/late", 2)]));
    assert_eq!(counted.report(15, UsageGroup::Tool).await.unused, ["a/early"]);
    assert_eq!(counted.calls(20, UsageGroup::Tool).await, both);
    counted.clock.advance(2 * 60 * 60);
    assert_eq!(counted.calls(60, UsageGroup::Tool).await, []);
    assert_eq!(counted.calls(180, UsageGroup::Tool).await, both);
    // From here on by the hour.
    counted.clock.advance(5 * 60 * 60);
    assert_eq!(counted.calls(180, UsageGroup::Tool).await, []);
    assert_eq!(counted.calls(24 * 60, UsageGroup::Tool).await, both);
    counted.clock.advance(28 * 24 * 60 * 60);
    assert_eq!(counted.calls(7 * 24 * 60, UsageGroup::Tool).await, []);
    assert_eq!(counted.calls(30 * 24 * 60, UsageGroup::Tool).await, both);
    counted.clock.advance(3 * 24 * 60 * 60);
    assert_eq!(counted.calls(30 * 24 * 60, UsageGroup::Tool).await, []);
}

#[tokio::test]
async fn a_series_has_equal_steps_and_no_gaps() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    for pause in [0, 60, 180] {
        counted.clock.advance(pause);
        counted.call(&caller, "echo", "{}").await.expect("answered");
    }
    for (minutes, step) in [(15, 60), (60, 60), (180, 120), (24 * 60, 3600), (7 * 24 * 60, 7200), (30 * 24 * 60, 25200)]
    {
        let report = counted.report(minutes, UsageGroup::Tool).await;
        let begins: Vec<SystemTime> = report.series.iter().map(|point| point.at).collect();
        assert_eq!(begins.first(), Some(&report.from));
        let ends = begins.iter().skip(1).chain([&report.until]);
        for (begin, end) in begins.iter().zip(ends) {
            assert_eq!(end.duration_since(*begin).expect("in order"), Duration::from_secs(step), "{minutes} minutes");
        }
        assert!(report.series.len() <= 120, "{}", report.series.len());
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOON + 240);
        assert!(report.until > now && report.from <= now - Duration::from_secs(minutes * 60));
        assert_eq!(report.series.iter().map(|point| point.counts.calls).sum::<u64>(), 3);
    }
    let points: Vec<_> =
        counted.report(5, UsageGroup::Tool).await.series.iter().map(|point| point.counts.calls).collect();
    assert_eq!(points, [0, 1, 1, 0, 0, 1]);
}

#[tokio::test]
async fn a_window_longer_than_what_is_kept_is_refused() {
    let counted = Counted::new(&[]).await;
    for window in [Duration::ZERO, Duration::from_secs(31 * 24 * 60 * 60), Duration::MAX] {
        let query = UsageQuery { window, group: UsageGroup::Tool, limit: 5 };
        let error = counted.recorder.report(&query, &[]).await.expect_err("no such window");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("`window`"), "{error}");
    }
}

#[tokio::test]
async fn lists_are_no_longer_than_asked_for() {
    let server = (0..30).fold(FakeServer::new(), |server, tool| {
        server.with_tool(&format!("fail-{tool:02}"), "", Answer::error(ErrorKind::Internal, "no")).with_tool(
            &format!("idle-{tool:02}"),
            "",
            Answer::echo(),
        )
    });
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    for tool in 0..30 {
        counted.call(&caller, &format!("fail-{tool:02}"), "{}").await.expect_err("it fails");
        counted.search(&caller, &format!("nothing{tool}")).await;
    }
    let query = UsageQuery { window: Duration::from_secs(60), group: UsageGroup::Tool, limit: 4 };
    let tools = counted.gateway.tools(&caller);
    let report = counted.recorder.report(&query, &tools).await.expect("a report");
    let lengths = [report.groups.len(), report.failing.len(), report.slow.len(), report.unused.len()];
    assert_eq!((lengths, report.searches.unmatched_queries.len()), ([4; 4], 4));
    assert_eq!(report.unused, ["a/idle-00", "a/idle-01", "a/idle-02", "a/idle-03"]);
    assert_eq!((report.unused_total, report.total.calls), (30, 30));
}
