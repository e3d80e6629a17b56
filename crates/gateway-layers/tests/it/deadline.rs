//! Time limits.

use std::time::Duration;

use gateway_core::{ErrorKind, Retry, ServerLimits};
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
