//! A limit on calls under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use gateway_core::{ErrorKind, RawJson, Retry, ServerLimits};
use gateway_layers::{ConcurrencyConfig, ConcurrencyLayer};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, spec};
use tokio::task::JoinSet;

use crate::support::{call, eventually, gateway, hasty};

fn limits(max_concurrency: usize) -> ServerLimits {
    ServerLimits { max_concurrency, ..ServerLimits::default() }
}

fn layer(max_waiting: usize) -> ConcurrencyLayer {
    ConcurrencyLayer::new(ConcurrencyConfig { max_waiting })
}

/// A tool that takes a while, and the most calls of it that were ever under way.
fn busy() -> (Answer, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let answer = Answer::new(move |_, _| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.fetch_sub(1, SeqCst);
            Ok(RawJson::empty_object())
        }
    });
    (answer, seen)
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_under_way_than_the_server_allows() {
    let (answer, most) = busy();
    let server = FakeServer::new().with_tool("busy", "", answer);
    let gateway = gateway(&server, limits(3), layer(100)).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let gateway = gateway.clone();
        calls.spawn(async move { call(&gateway, &context(&gateway, None).await, "busy").await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.expect("no panic").expect("answered");
    }
    assert_eq!((server.calls(), most.load(SeqCst)), (50, 3));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_a_caller_who_goes_makes_room() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let gateway = gateway(&server, limits(1), layer(1)).await;
    let caller = context(&gateway, None).await;
    let mut first = Box::pin(call(&gateway, &caller, "hang"));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(call(&gateway, &caller, "hang"));
    assert!(futures_util::poll!(&mut second).is_pending());
    let error = call(&gateway, &caller, "hang").await.expect_err("no room");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.retry_after_ms().is_some() && error.message().contains("max_concurrency"), "{error}");

    drop(second);
    let mut third = Box::pin(call(&gateway, &caller, "hang"));
    assert!(futures_util::poll!(&mut third).is_pending(), "there is room in the queue again");
    assert_eq!(server.calls(), 1);
    drop(first);
    let third = async { third.await.map(drop) };
    tokio::select! {
        answer = third => panic!("it hangs, and does not answer {answer:?}"),
        () = eventually("the third has the place of the first", || server.calls() == 2) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_the_callers_deadline_or_with_the_servers_patience() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let limits = ServerLimits { request_timeout_ms: 5000, ..limits(1) };
    let gateway = gateway(&server, limits, layer(10)).await;
    let patient = context(&gateway, None).await;
    let mut first = Box::pin(call(&gateway, &patient, "hang"));
    assert!(futures_util::poll!(&mut first).is_pending());
    let caller = hasty(&gateway, Duration::from_millis(300)).await;
    let error = call(&gateway, &caller, "hang").await.expect_err("too late");
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    let error = call(&gateway, &patient, "hang").await.expect_err("no place");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Safe));
    assert!(error.message().contains("5000 ms"), "{error}");
    assert_eq!(server.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_does_not_hinder_another() {
    let full = FakeServer::new().with_tool("hang", "", Answer::hang());
    let free = FakeServer::new().with_tool("echo", "", Answer::echo());
    let transport = FakeTransport::new().with_server("full", &full).with_server("free", &free);
    let specs = ["full", "free"].map(|name| spec(name).with_limits(limits(1)));
    let gateway =
        builder(transport).with_servers(specs.into()).with_layer(Arc::new(layer(1))).start().await.expect("names");
    gateway.settled().await;
    let caller = context(&gateway, None).await;
    let mut hanging = Box::pin(call(&gateway, &caller, "hang"));
    assert!(futures_util::poll!(&mut hanging).is_pending());
    call(&gateway, &caller, "echo").await.expect("answered");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_0_lets_one_call_pass_at_a_time() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&server, limits(0), layer(1)).await;
    call(&gateway, &context(&gateway, None).await, "echo").await.expect("answered");
}
