//! The life of a connection.

use gateway_core::{Endpoint, EngineConfig, ErrorKind, NewSession, ServerLimits, ServerSpec, ServerState};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, gateway_with, spec};

use crate::support::{call, eventually, state};

#[tokio::test]
async fn a_lost_connection_comes_back_by_itself() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    server.kill();
    eventually("it is connected again", || server.connects() == 2).await;
    eventually("it is ready", || state(&gateway, &context, "a") == ServerState::Ready).await;
    call(&gateway, &context, "echo").await.expect("answers");
    assert_eq!(gateway.tools(&context).len(), 1, "its tools stay known");
}

#[tokio::test]
async fn what_a_server_wrote_outlives_its_connection() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.servers(&context)[0].stderr_tail, Vec::<String>::new());
    server.events()[0].wrote("cannot open the file");
    server.kill();
    eventually("it is connected again", || server.connects() == 2).await;
    server.events()[0].wrote("here I am again");
    assert_eq!(gateway.servers(&context)[0].stderr_tail, ["cannot open the file", "here I am again"]);
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_end() {
    let server = FakeServer::new()
        .with_tool("echo", "", Answer::echo())
        .with_failed_connects(&[Some(ErrorKind::Unavailable); 3]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(state(&gateway, &context, "a"), ServerState::BackingOff);
    let status = &gateway.servers(&context)[0];
    assert_eq!(status.last_error.as_deref(), Some("the fake refuses"));
    eventually("it is ready", || state(&gateway, &context, "a") == ServerState::Ready).await;
    assert!(gateway.servers(&context)[0].last_error.is_none());
}

#[tokio::test]
async fn what_can_never_work_is_not_tried_for_ever() {
    let server = FakeServer::new().with_failed_connects(&[Some(ErrorKind::InvalidRequest); 9]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(state(&gateway, &context, "a"), ServerState::Failed);
    assert!(!gateway.health().healthy);
    let error = call(&gateway, &context, "a__echo").await.expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("the fake refuses"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_ends() {
    let server = FakeServer::new().with_failed_connects(&[None]).with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let status = &gateway.servers(&context)[0];
    let error = status.last_error.as_deref().unwrap_or_default();
    assert!(error.contains("no handshake within 30000 ms"), "{error}");
    eventually("the second attempt works", || state(&gateway, &context, "a") == ServerState::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_opened_by_the_next_call() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let limits = ServerLimits { idle_timeout_ms: 1_000, ..ServerLimits::default() };
    let transport = FakeTransport::new().with_server("a", &server);
    let gateway = builder(transport).with_servers(vec![spec("a").with_limits(limits)]).start().await.expect("starts");
    gateway.settled().await;
    let context = context(&gateway, None).await;
    eventually("it is closed", || state(&gateway, &context, "a") == ServerState::Idle).await;
    eventually("its upstream is closed", || server.closes() == 1).await;
    assert!(gateway.health().healthy, "idle is in order");
    assert_eq!(gateway.tools(&context).len(), 1, "its tools stay known");
    call(&gateway, &context, "echo").await.expect("opens it");
    assert_eq!(server.connects(), 2);
}

#[tokio::test]
async fn a_disabled_server_is_never_connected() {
    let server = FakeServer::new();
    let transport = FakeTransport::new().with_server("a", &server);
    let gateway = builder(transport).with_servers(vec![spec("a").with_disabled(true)]).start().await.expect("starts");
    gateway.settled().await;
    let context = context(&gateway, None).await;
    assert_eq!(state(&gateway, &context, "a"), ServerState::Disabled);
    let error = call(&gateway, &context, "a__x").await.expect_err("disabled");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.connects(), 0);
}

#[tokio::test]
async fn an_unknown_transport_is_named() {
    let server = FakeServer::new();
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let odd = ServerSpec::new("b", "pigeon", Endpoint::Url(gateway_core::Url::default())).expect("valid");
    let report = gateway.add_servers(&context, vec![odd]).await.expect("a report");
    assert!(report.failed[0].1.contains("there is no transport `pigeon`"), "{:?}", report.failed);
}

#[tokio::test]
async fn the_process_limit_is_said() {
    let config = EngineConfig { max_processes: 0, ..EngineConfig::default() };
    let server = FakeServer::new();
    let gateway = gateway_with(&[("a", &server)], config, |builder| builder).await;
    let context = context(&gateway, None).await;
    let command = Endpoint::Command(gateway_core::Command { program: "x".to_owned(), ..Default::default() });
    let spec = ServerSpec::new("b", "fake", command).expect("valid");
    let report = gateway.add_servers(&context, vec![spec]).await.expect("a report");
    assert!(report.failed[0].1.contains("sessions.max_processes"), "{:?}", report.failed);
}

#[tokio::test(start_paused = true)]
async fn a_sessions_caller_is_told_that_its_server_cannot_be_started() {
    let config = EngineConfig { max_processes: 1, ..EngineConfig::default() };
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let command = Endpoint::Command(gateway_core::Command { program: "x".to_owned(), ..Default::default() });
    let spec = ServerSpec::new("a", "fake", command).expect("valid");
    let transport = FakeTransport::new().with_server("a", &server);
    let gateway = builder(transport).with_config(config).with_servers(vec![spec]).start().await.expect("starts");
    gateway.settled().await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let context = context(&gateway, Some(&session.id)).await;
    for _ in 0..3 {
        // The default session has the only place; nobody may wait for one longer than a moment.
        let moment = std::time::Duration::from_secs(2);
        let answer = tokio::time::timeout(moment, call(&gateway, &context, "echo")).await.expect("an answer in time");
        let error = answer.expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("sessions.max_processes"), "{error}");
    }
}

#[tokio::test]
async fn shutdown_closes_every_connection() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    call(&gateway, &context(&gateway, Some(&session.id)).await, "echo").await.expect("answers");
    assert_eq!(server.connects(), 2);
    gateway.shutdown().await;
    assert_eq!(server.closes(), 2);
}

#[tokio::test]
async fn a_gateway_that_is_dropped_lets_go() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    drop(gateway(&[("a", &server)]).await);
    eventually("its connection is closed", || server.closes() == 1).await;
}
