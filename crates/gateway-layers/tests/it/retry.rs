//! Second attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, RawJson, Retry, ServerLimits};
use gateway_layers::{RetryConfig, RetryLayer};
use gateway_testkit::fakes::{Answer, FakeServer, context};
use tokio::time::Instant;

use crate::support::{call, gateway, hasty};

const CONFIG: RetryConfig = RetryConfig { max_retries: 2, pause_ms: 100 };

/// Fails so many times, then answers.
fn shaky(failures: usize, kind: ErrorKind, retry: Retry) -> Answer {
    let left = Arc::new(AtomicUsize::new(failures));
    Answer::new(move |_, _| {
        let fails = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        async move { if fails { Err(Error::new(kind, "not yet").with_retry(retry)) } else { Ok(RawJson::empty_object()) } }
    })
}

/// A server with one tool that declares itself idempotent, and one that does not.
fn server(answer: &Answer) -> FakeServer {
    let page = r#"{"tools":[{"name":"plain","inputSchema":{}},{"name":"idempotent","inputSchema":{},"annotations":{"idempotentHint":true}}]}"#;
    FakeServer::new()
        .with_tool("plain", "", answer.clone())
        .with_tool("idempotent", "", answer.clone())
        .with_pages(&[page])
}

#[tokio::test(start_paused = true)]
async fn what_the_server_has_not_seen_is_sent_again() {
    let server = server(&shaky(2, ErrorKind::Unavailable, Retry::Safe));
    let gateway = gateway(&server, ServerLimits::default(), RetryLayer::new(CONFIG)).await;
    let start = Instant::now();
    call(&gateway, &context(&gateway, None).await, "plain").await.expect("the third time");
    assert_eq!(server.calls(), 3);
    assert!(start.elapsed() >= Duration::from_millis(50 + 100), "it pauses: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn attempts_have_an_end() {
    let server = server(&shaky(9, ErrorKind::Unavailable, Retry::Safe));
    let gateway = gateway(&server, ServerLimits::default(), RetryLayer::new(CONFIG)).await;
    let error = call(&gateway, &context(&gateway, None).await, "plain").await.expect_err("in vain");
    assert_eq!((error.message(), server.calls()), ("not yet", 3));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_may_have_begun_is_repeated_only_where_that_is_harmless() {
    for (tool, retry, calls) in
        [("plain", Retry::IfIdempotent, 1), ("idempotent", Retry::IfIdempotent, 2), ("idempotent", Retry::Never, 1)]
    {
        let server = server(&shaky(1, ErrorKind::UpstreamFailed, retry));
        let gateway = gateway(&server, ServerLimits::default(), RetryLayer::new(CONFIG)).await;
        let _ = call(&gateway, &context(&gateway, None).await, tool).await;
        assert_eq!(server.calls(), calls, "{tool} {retry:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_past_the_deadline() {
    let server = server(&shaky(9, ErrorKind::Unavailable, Retry::Safe));
    let gateway = gateway(&server, ServerLimits::default(), RetryLayer::new(CONFIG)).await;
    let caller = hasty(&gateway, Duration::from_millis(40)).await;
    let error = call(&gateway, &caller, "plain").await.expect_err("in vain");
    assert_eq!((error.kind(), server.calls()), (ErrorKind::Unavailable, 1));
}
