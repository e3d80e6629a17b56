//! The circuit breaker round calls.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, RawJson, Retry, ServerLimits};
use gateway_layers::{BreakerConfig, BreakerLayer};
use gateway_testkit::fakes::{Answer, FakeServer, context};

use crate::support::{call, gateway, hasty};

const CONFIG: BreakerConfig = BreakerConfig { failures_to_open: 3, cool_down_ms: 10_000 };

fn server() -> FakeServer {
    let rpc_error = || async {
        let object = RawJson::parse(r#"{"code":-32000,"message":"no"}"#).expect("valid JSON");
        Err(Error::new(ErrorKind::UpstreamFailed, "it answered with an error").with_details(object))
    };
    FakeServer::new()
        .with_tool("broken", "", Answer::error(ErrorKind::UpstreamFailed, "it broke"))
        .with_tool("answers with an error", "", Answer::new(move |_, _| rpc_error()))
        .with_tool("wrong arguments", "", Answer::error(ErrorKind::InvalidArguments, "no"))
        .with_tool("hang", "", Answer::hang())
        .with_tool("echo", "", Answer::echo())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_left_alone_and_tried_again() {
    let server = server();
    let gateway = gateway(&server, ServerLimits::default(), BreakerLayer::new(CONFIG)).await;
    let caller = context(&gateway, None).await;
    for _ in 0..3 {
        let error = call(&gateway, &caller, "broken").await.expect_err("broken");
        assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
    }
    let error = call(&gateway, &caller, "echo").await.expect_err("left alone");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.retry_after_ms().is_some_and(|wait| (1..=10_000).contains(&wait)), "{:?}", error.retry_after_ms());
    assert!(error.message().contains("`a`"), "{error}");
    assert_eq!(server.calls(), 3, "it was not asked");

    tokio::time::sleep(Duration::from_millis(CONFIG.cool_down_ms)).await;
    call(&gateway, &caller, "echo").await.expect("the probe passes");
    call(&gateway, &caller, "echo").await.expect("closed again");
    assert_eq!(server.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn answers_and_callers_who_leave_do_not_count() {
    let server = server();
    let gateway = gateway(&server, ServerLimits::default(), BreakerLayer::new(CONFIG)).await;
    let caller = context(&gateway, None).await;
    for _ in 0..10 {
        assert!(call(&gateway, &caller, "answers with an error").await.is_err());
        assert!(call(&gateway, &caller, "wrong arguments").await.is_err());
        let hasty = hasty(&gateway, Duration::from_millis(10)).await;
        let _ = tokio::time::timeout(Duration::from_millis(20), call(&gateway, &hasty, "hang")).await;
    }
    call(&gateway, &caller, "echo").await.expect("it is not left alone");
    assert_eq!(server.calls(), 31);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_leaves_is_no_verdict() {
    let server = server();
    let gateway = gateway(&server, ServerLimits::default(), BreakerLayer::new(CONFIG)).await;
    let caller = context(&gateway, None).await;
    for _ in 0..3 {
        assert!(call(&gateway, &caller, "broken").await.is_err());
    }
    tokio::time::sleep(Duration::from_millis(CONFIG.cool_down_ms)).await;
    {
        let mut probe = Box::pin(call(&gateway, &caller, "hang"));
        assert!(futures_util::poll!(&mut probe).is_pending());
        assert!(call(&gateway, &caller, "echo").await.is_err(), "one probe is enough");
    }
    call(&gateway, &caller, "echo").await.expect("the next call is the probe");
}
