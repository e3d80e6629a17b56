//! Time limits.

use std::time::Duration;

use gateway_core::{Admission, Context, ErrorKind, Gateway, Listener, Notification, RawJson, Retry, ServerLimits};
use gateway_layers::DeadlineLayer;
use gateway_testkit::fakes::{Answer, FakeServer, context};

use crate::support::{call, eventually, gateway, hasty};

fn limits(request_timeout_ms: u64) -> ServerLimits {
    ServerLimits { request_timeout_ms, ..ServerLimits::default() }
}

#[tokio::test(start_paused = true)]
async fn the_callers_limit_ends_a_call_and_cancels_it() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let gateway = gateway(&server, limits(60_000), DeadlineLayer::new()).await;
    let caller = hasty(&gateway, Duration::from_millis(500)).await;
    let error = call(&gateway, &caller, "hang").await.expect_err("too late");
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert!(error.message().contains("`a`"), "{error}");
    eventually("the server's call is dropped", || server.cancelled() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_servers_limit_ends_a_call_and_is_named() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let gateway = gateway(&server, limits(1234), DeadlineLayer::new()).await;
    for caller in [context(&gateway, None).await, hasty(&gateway, Duration::from_secs(3600)).await] {
        let start = tokio::time::Instant::now();
        let error = call(&gateway, &caller, "hang").await.expect_err("too late");
        assert_eq!((error.kind(), error.retry()), (ErrorKind::UpstreamTimeout, Retry::IfIdempotent));
        assert!(error.message().contains("`a`") && error.message().contains("1234 ms"), "{error}");
        assert!(start.elapsed() >= Duration::from_millis(1234), "{:?}", start.elapsed());
    }
    eventually("the server's calls are dropped", || server.cancelled() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_in_time_passes_and_0_is_no_limit() {
    let slow = Answer::echo().after(Duration::from_secs(3600));
    let server = FakeServer::new().with_tool("slow", "", slow);
    let gateway = gateway(&server, limits(0), DeadlineLayer::new()).await;
    let patient = context(&gateway, None).await;
    call(&gateway, &patient, "slow").await.expect("no limit");
    let caller = hasty(&gateway, Duration::from_secs(3601)).await;
    call(&gateway, &caller, "slow").await.expect("in time");
}

/// Progress every 800 ms, 10 times, then an answer.
fn stepwise() -> Answer {
    Answer::new(|_, listener: Option<Listener>| async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(800)).await;
            let method = "notifications/progress".to_owned();
            let notification = Notification { method, params: RawJson::empty_object() };
            listener.as_ref().map(|listener| listener.deliver(notification));
        }
        Ok(RawJson::empty_object())
    })
}

/// A caller who hears no more than one notification, and has these patience.
async fn listening(gateway: &Gateway, timeout: Option<Duration>) -> Context {
    let listener = Some(Listener::channel(1).0);
    gateway.admit(Admission { listener, timeout, ..Admission::default() }).await.expect("anybody may")
}

#[tokio::test(start_paused = true)]
async fn progress_gives_time_up_to_a_limit() {
    for (max_ms, listens, own_limit_ms, expected) in [
        (60_000, true, None, Ok(8_000)),
        (5_000, true, None, Err((ErrorKind::UpstreamTimeout, 5_000, "max_request_timeout_ms"))),
        (0, true, None, Err((ErrorKind::UpstreamTimeout, 1_000, "(its request_timeout_ms)"))),
        (60_000, false, None, Err((ErrorKind::UpstreamTimeout, 1_000, "(its request_timeout_ms)"))),
        (60_000, true, Some(3_000), Err((ErrorKind::DeadlineExceeded, 3_000, "caller"))),
    ] {
        let server = FakeServer::new().with_tool("steps", "", stepwise());
        let limits = ServerLimits { max_request_timeout_ms: max_ms, ..limits(1_000) };
        let gateway = gateway(&server, limits, DeadlineLayer::new()).await;
        let caller = if listens {
            listening(&gateway, own_limit_ms.map(Duration::from_millis)).await
        } else {
            context(&gateway, None).await
        };
        let start = tokio::time::Instant::now();
        let answer = call(&gateway, &caller, "steps").await;
        let case = format!("{max_ms} {listens} {own_limit_ms:?}");
        let took = match (answer, expected) {
            (Ok(_), Ok(took)) => took,
            (Err(error), Err((kind, took, text))) => {
                assert_eq!(error.kind(), kind, "{case}");
                assert!(error.message().contains(text), "{case}: {error}");
                took
            }
            (answer, _) => panic!("{case}: {:?}", answer.map(|reply| reply.result)),
        };
        let elapsed = start.elapsed().as_millis();
        assert!((took..took + 100).contains(&elapsed), "{case}: {elapsed}");
    }
}
