//! The live feed.

use gateway_core::{ErrorKind, Usage as _, UsageEventKind};
use gateway_testkit::fakes::{Answer, FakeServer};
use gateway_usage::UsageConfig;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::harness::{Counted, HandClock};

fn server() -> FakeServer {
    FakeServer::new()
        .with_tool("echo", "repeats", Answer::echo())
        .with_tool("fail", "", Answer::result(r#"{"isError":true}"#))
        .with_tool("broken", "", Answer::error(ErrorKind::UpstreamFailed, "it broke"))
}

#[tokio::test]
async fn who_listens_hears_what_happens_from_then_on() {
    let server = server();
    let counted = Counted::new(&[("a", &server)]).await;
    let caller = counted.caller("rest", None).await;
    counted.call(&caller, "echo", "{}").await.expect("answered");
    let mut live = counted.recorder.live();
    assert_eq!(live.try_recv().expect_err("nothing has happened"), TryRecvError::Empty);

    counted.call(&caller, "echo", r#"{"a":1}"#).await.expect("answered");
    let event = live.recv().await.expect("an event");
    assert_eq!((event.door, event.caller.as_str(), event.outcome), ("rest", "anonymous", "ok"));
    assert_eq!((event.request_id.as_str(), &event.session_id, &event.error), ("request-at-rest", &None, &None));
    let UsageEventKind::Call { server: name, tool, request_bytes, response_bytes } = &event.what else {
        panic!("{event:?}")
    };
    assert_eq!((&**name, &**tool, *request_bytes), ("a", "echo", 7));
    assert!(*response_bytes > 7);

    let _ = counted.call(&caller, "broken", "{}").await;
    let event = live.recv().await.expect("an event");
    assert_eq!((event.outcome, event.error.as_deref()), ("upstream_failed", Some("it broke")));
    let _ = counted.call(&caller, "fail", "{}").await;
    assert_eq!(live.recv().await.expect("an event").outcome, "tool_error");

    counted.search(&caller, "Repeats what").await;
    let event = live.recv().await.expect("an event");
    let UsageEventKind::Search { query, matches, best_score } = &event.what else { panic!("{event:?}") };
    assert_eq!((query.as_str(), *matches), ("Repeats what", 1));
    assert!((0.0..=1.0).contains(best_score) && *best_score > 0.0);

    // Nobody listens, and then somebody does again.
    drop(live);
    counted.call(&caller, "echo", "{}").await.expect("answered");
    let mut live = counted.recorder.live();
    counted.call(&caller, "fail", "{}").await.expect("a reply");
    assert_eq!(live.recv().await.expect("an event").outcome, "tool_error");
}

#[tokio::test]
async fn who_is_slow_loses_the_oldest() {
    let server = server();
    let config = UsageConfig { live_capacity: 4, ..UsageConfig::default() };
    let counted = Counted::with(&[("a", &server)], config, HandClock::new(), None).await;
    let caller = counted.caller("mcp", None).await;
    let mut live = counted.recorder.live();
    for _ in 0..10 {
        counted.call(&caller, "echo", "{}").await.expect("answered");
    }
    assert_eq!(live.recv().await.expect_err("some are lost"), RecvError::Lagged(6));
    for _ in 0..4 {
        assert_eq!(live.recv().await.expect("an event").door, "mcp");
    }
    assert_eq!(live.try_recv().expect_err("no more"), TryRecvError::Empty);
}
