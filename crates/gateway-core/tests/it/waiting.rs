//! What waits for what: calls for servers that start, readings for servers that talk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{ErrorKind, GatewayBuilder, Index, NewSession, Result, Router, SearchRequest, ServerTools};
use gateway_testkit::fakes::{
    Answer, FakeAuth, FakeRouter, FakeServer, FakeStore, FakeTransport, builder, context, gateway, spec,
};
use tokio::time::Instant;

use crate::support::{call, tool_call};

fn echo() -> FakeServer {
    FakeServer::new().with_tool("echo", "", Answer::echo())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_up_no_call_of_another() {
    let (never, good) = (FakeServer::new().with_failed_connects(&[None; 9]), echo());
    let transport = FakeTransport::new().with_server("never", &never).with_server("good", &good);
    let gateway = builder(transport).with_servers(vec![spec("never"), spec("good")]).start().await.expect("starts");
    let context = context(&gateway, None).await;
    let begun = Instant::now();
    call(&gateway, &context, "echo").await.expect("answers");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    let error = call(&gateway, &context, "misspelt").await.expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("the tools of `never` are not known yet"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(11), "{:?}", begun.elapsed());

    let begun = Instant::now();
    call(&gateway, &context, "misspelt").await.expect_err("nobody has it");
    assert!(begun.elapsed() < Duration::from_secs(1), "only in the first seconds: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_server_that_never_answers_says_so() {
    let never = FakeServer::new().with_failed_connects(&[None; 9]);
    let transport = FakeTransport::new().with_server("never", &never);
    let gateway = builder(transport).with_servers(vec![spec("never")]).start().await.expect("starts");
    let context = context(&gateway, None).await;
    let mut named = tool_call("echo", "{}");
    named.server = Some("never".to_owned());
    for call in [tool_call("never__echo", "{}"), named] {
        let error = gateway.call(&context, call).await.expect_err("not reached");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("`never` is still being connected"), "{error}");
        assert!(error.retry_after_ms().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_session_outlasts_one_failed_attempt() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let _ = server.clone().with_failed_connects(&[Some(ErrorKind::Unavailable)]);
    let calling = tokio::time::timeout(Duration::from_secs(5), call(&gateway, &own, "echo"));
    calling.await.expect("it does not hang").expect("the second attempt works");
}

#[tokio::test(start_paused = true)]
async fn attempts_on_demand_are_spaced_as_well() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let _ = server.clone().with_failed_connects(&[Some(ErrorKind::Unavailable); 1000]);
    let begun = Instant::now();
    let mut waits = Vec::new();
    while begun.elapsed() < Duration::from_secs(60) {
        let error = call(&gateway, &own, "echo").await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        waits.extend(error.retry_after_ms());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let longest = waits.into_iter().max().expect("a caller is told when to come again");
    assert!(longest > 10_000, "pauses grow: {longest} ms");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_stops_talking_is_read_and_not_too_often() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    server.add_tool("two", "", Answer::echo());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        server.announce();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(gateway.tools(&context).len(), 2, "read while it talks");
    assert!((2..=45).contains(&server.lists()), "{}", server.lists());
}

/// A router that takes its time, and counts how often it begins.
#[derive(Debug)]
struct Slow(Arc<AtomicUsize>);

#[async_trait]
impl Router for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        FakeRouter.index(servers).await
    }
}

#[tokio::test]
async fn a_search_that_is_given_up_does_not_begin_the_index_anew() {
    let begun = Arc::new(AtomicUsize::new(0));
    let transport = FakeTransport::new().with_server("a", &echo());
    let gateway =
        GatewayBuilder::new(Arc::new(Slow(Arc::clone(&begun))), FakeStore::shared(), Arc::new(FakeAuth::open()))
            .with_transport(Arc::new(transport))
            .with_servers(vec![spec("a")])
            .start()
            .await
            .expect("starts");
    gateway.settled().await;
    let context = context(&gateway, None).await;
    let request = || SearchRequest { query: "echo".to_owned(), limit: 5, servers: None, min_score: 0.0 };
    for _ in 0..5 {
        let search = gateway.search(&context, request());
        tokio::time::timeout(Duration::from_millis(10), search).await.expect_err("given up");
    }
    assert_eq!(gateway.search(&context, request()).await.expect("found").matches.len(), 1);
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}
