//! However many names there are, memory stays bounded.

use gateway_core::{NewSession, UsageGroup};
use gateway_testkit::fakes::{Answer, FakeServer};
use gateway_usage::{UsageConfig, UsageLimits};

use crate::harness::{Counted, HandClock};

#[tokio::test]
async fn names_beyond_the_limits_share_other() {
    let server =
        (0..9).fold(FakeServer::new(), |server, tool| server.with_tool(&format!("t{tool}"), "", Answer::echo()));
    let limits = UsageLimits { tools: 3, servers: 1, sessions: 2, callers: 1, queries: 2 };
    let config = UsageConfig { limits, ..UsageConfig::default() };
    let counted = Counted::with(&[("a", &server), ("b", &server)], config, HandClock::new(), None).await;
    let caller = counted.caller("rest", None).await;
    for _ in 0..5 {
        let session = counted.gateway.create_session(&caller, NewSession::default()).await.expect("there is room").id;
        let inside = counted.caller("rest", Some(session)).await;
        for tool in 0..9 {
            counted.call(&inside, &format!("a__t{tool}"), "{}").await.expect("answered");
            counted.call(&inside, &format!("b__t{tool}"), "{}").await.expect("answered");
            counted.search(&inside, &format!("nothing-{tool}")).await;
        }
        counted.clock.advance(40);
    }
    for minutes in [15, 24 * 60] {
        for (group, most) in [(UsageGroup::Tool, 3), (UsageGroup::Server, 1), (UsageGroup::Session, 2)] {
            let calls = counted.calls(minutes, group).await;
            assert_eq!(calls.len(), most + 1, "{calls:?}");
            assert_eq!(calls.iter().map(|(_, calls)| calls).sum::<u64>(), 90);
            assert!(calls.iter().any(|(key, _)| key == "other"), "{calls:?}");
        }
        let report = counted.report(minutes, UsageGroup::Tool).await;
        assert_eq!((report.searches.total, report.searches.without_match), (45, 45));
        assert_eq!(report.searches.unmatched_queries.len(), 2);
    }
}
