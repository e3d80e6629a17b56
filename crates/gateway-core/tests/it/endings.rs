//! Ends that meet beginnings: processes, idle times, panics, sessions that end while they are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, EngineConfig, Error, ErrorKind, Gateway, NewSession, RawJson, Result, Retry,
    ServerLimits, ServerSpec, ServerState, Transport, Upstream, UpstreamInfo, UpstreamRequest,
};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, spec};

use crate::support::{call, eventually, state};

fn echo() -> FakeServer {
    FakeServer::new().with_tool("echo", "", Answer::echo())
}

/// A transport whose connections take their time to close, and that counts those not closed yet.
#[derive(Debug)]
struct SlowToClose {
    inner: FakeTransport,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct SlowUpstream {
    inner: Arc<dyn Upstream>,
    open: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for SlowToClose {
    fn name(&self) -> &str {
        "fake"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let inner = self.inner.connect(connect).await?;
        self.most.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        Ok(Arc::new(SlowUpstream { inner, open: Arc::clone(&self.open) }))
    }
}

#[async_trait]
impl Upstream for SlowUpstream {
    fn info(&self) -> &UpstreamInfo {
        self.inner.info()
    }

    async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        self.inner.request(request).await
    }

    async fn notify(&self, notification: gateway_core::Notification) -> Result<()> {
        self.inner.notify(notification).await
    }

    async fn close(&self) {
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.inner.close().await;
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn program(name: &str) -> ServerSpec {
    let command = Command { program: "x".to_owned(), ..Command::default() };
    ServerSpec::new(name, "fake", Endpoint::Command(command)).expect("valid")
}

/// A gateway with one program and room for one, and the most of them that ever lived.
async fn one_program(server: &FakeServer, limits: ServerLimits) -> (Gateway, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let inner = FakeTransport::new().with_server("a", server).with_server("b", server);
    let transport = SlowToClose { inner, open: Arc::default(), most: Arc::clone(&most) };
    let gateway = builder(FakeTransport::new())
        .with_transport(Arc::new(transport))
        .with_config(EngineConfig { max_processes: 1, ..EngineConfig::default() })
        .with_servers(vec![program("a").with_limits(limits)])
        .start()
        .await
        .expect("starts");
    gateway.settled().await;
    (gateway, most)
}

#[tokio::test(start_paused = true)]
async fn a_program_is_started_again_when_the_old_one_is_gone_and_has_its_place() {
    let server = echo();
    let (gateway, most) = one_program(&server, ServerLimits::default()).await;
    let context = context(&gateway, None).await;
    server.kill();
    eventually("it is connected again", || server.connects() == 2).await;
    eventually("it is ready", || state(&gateway, &context, "a") == ServerState::Ready).await;
    assert_eq!(most.load(Ordering::SeqCst), 1, "never two at a time");
    assert_eq!(gateway.health().processes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_meets_an_idle_end_opens_the_next_connection() {
    let server = echo();
    let limits = ServerLimits { idle_timeout_ms: 1_000, ..ServerLimits::default() };
    let (gateway, most) = one_program(&server, limits).await;
    let context = context(&gateway, None).await;
    eventually("it is closing", || state(&gateway, &context, "a") == ServerState::Idle).await;
    call(&gateway, &context, "echo").await.expect("waits for the end and opens the next");
    assert_eq!((server.connects(), most.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn looking_at_a_server_does_not_bring_it_back_after_its_idle_time() {
    let server = echo();
    let limits = ServerLimits { idle_timeout_ms: 1_000, ..ServerLimits::default() };
    let transport = FakeTransport::new().with_server("a", &server);
    let gateway = builder(transport).with_servers(vec![spec("a").with_limits(limits)]).start().await.expect("starts");
    gateway.settled().await;
    gateway.settled().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((server.connects(), server.closes()), (1, 1));
}

#[tokio::test]
async fn one_request_that_is_not_taken_breaks_off_no_other() {
    let refuse = Answer::new(|_, _| {
        let error = Error::new(ErrorKind::Unavailable, "too much to do").with_retry(Retry::Safe);
        std::future::ready(Err(error))
    });
    let server = echo().with_tool("refuse", "", refuse).with_tool("hang", "", Answer::hang());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let mut hanging = Box::pin(call(&gateway, &context, "hang"));
    let refused = tokio::select! {
        biased;
        _ = &mut hanging => unreachable!("it hangs"),
        refused = call(&gateway, &context, "refuse") => refused.expect_err("refused"),
    };
    assert_eq!((refused.kind(), refused.retry()), (ErrorKind::Unavailable, Retry::Safe));
    tokio::time::timeout(Duration::from_millis(100), &mut hanging).await.expect_err("it hangs on");
    call(&gateway, &context, "echo").await.expect("answers");
    assert_eq!((server.connects(), server.closes(), server.cancelled()), (1, 0, 0));
}

/// A transport that panics.
#[derive(Debug)]
struct Panics;

#[async_trait]
impl Transport for Panics {
    fn name(&self) -> &str {
        "panics"
    }

    async fn connect(&self, _: Connect) -> Result<Arc<dyn Upstream>> {
        panic!("a transport with a mistake")
    }
}

#[tokio::test]
async fn a_transport_that_panics_leaves_nobody_waiting() {
    let odd = ServerSpec::new("odd", "panics", Endpoint::Url(gateway_core::Url::default())).expect("valid");
    let gateway = builder(FakeTransport::new())
        .with_transport(Arc::new(Panics))
        .with_servers(vec![odd])
        .start()
        .await
        .expect("starts");
    tokio::time::timeout(Duration::from_secs(5), gateway.settled()).await.expect("settles");
    let context = context(&gateway, None).await;
    assert_eq!(state(&gateway, &context, "odd"), ServerState::Failed);
    tokio::time::timeout(Duration::from_secs(5), gateway.shutdown()).await.expect("ends");
}

#[tokio::test]
async fn a_call_longer_than_its_sessions_life_keeps_it() {
    let server = FakeServer::new().with_tool("slow", "", Answer::echo().after(Duration::from_millis(2500)));
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let new = NewSession { ttl: Some(Duration::from_millis(300)), ..NewSession::default() };
    let session = gateway.create_session(&default, new).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(2000)).await;
        context(&gateway, Some(&session.id)).await
    };
    let (reply, _) = tokio::join!(call(&gateway, &own, "slow"), meanwhile);
    reply.expect("its server stays");
    gateway.session(&default, &session.id).await.expect("its end was a use");
    eventually("it expires at last", || gateway.health().sessions == 0).await;
    let error = gateway.session(&default, &session.id).await.expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn deleting_a_session_ends_what_is_being_added_to_it() {
    let never = FakeServer::new().with_failed_connects(&[None, None]);
    let transport = FakeTransport::new().with_server("never", &never);
    let gateway = builder(transport).start().await.expect("starts");
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let mut adding = Box::pin(gateway.add_servers(&own, vec![spec("never")]));
    tokio::time::timeout(Duration::from_millis(50), &mut adding).await.expect_err("it connects");
    let deleting = gateway.delete_session(&default, &session.id);
    tokio::time::timeout(Duration::from_secs(5), deleting).await.expect("at once").expect("deleted");
    let error = adding.await.expect_err("the session is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn deleting_a_session_ends_its_calls() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let hanging = tokio::time::timeout(Duration::from_millis(50), call(&gateway, &own, "hang"));
    hanging.await.expect_err("it hangs");
    gateway.delete_session(&default, &session.id).await.expect("deleted");
    assert_eq!(server.closes(), 1);
    let late = call(&gateway, &own, "hang").await.expect_err("its server is gone");
    assert_eq!(late.kind(), ErrorKind::Unavailable);
}
