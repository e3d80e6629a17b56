//! Sessions: isolated sets of servers with an end.

use std::time::Duration;

use gateway_core::{
    Command, CommandServers, Endpoint, EngineConfig, ErrorKind, NewSession, ServerSelector, ServerSpec,
};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, gateway_with, spec};

use crate::support::{call, eventually};

fn echo() -> FakeServer {
    FakeServer::new().with_tool("echo", "", Answer::echo())
}

#[tokio::test]
async fn a_session_has_its_own_servers_and_starts_them_when_used() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    assert!(session.id.starts_with("sess_") && session.id.len() == 45);
    let own = context(&gateway, Some(&session.id)).await;
    assert_eq!(gateway.tools(&own).len(), 1, "its tools are known without a connection");
    assert_eq!(server.connects(), 1);
    call(&gateway, &own, "echo").await.expect("answers");
    assert_eq!(server.connects(), 2);
    gateway.remove_server(&own, ServerSelector::Name("a".to_owned())).await.expect("removed");
    assert_eq!(server.closes(), 1);
    assert!(gateway.tools(&own).is_empty());
    assert_eq!(gateway.tools(&default).len(), 1, "no other session is touched");
    call(&gateway, &default, "echo").await.expect("answers");
}

#[tokio::test]
async fn an_added_server_is_seen_in_its_session_only() {
    let (a, b) = (echo(), FakeServer::new().with_tool("other", "", Answer::echo()));
    let transport = FakeTransport::new().with_server("a", &a).with_server("b", &b);
    let gateway = builder(transport).with_servers(vec![spec("a")]).start().await.expect("starts");
    gateway.settled().await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    let report = gateway.add_servers(&own, vec![spec("b"), spec("a"), spec("nobody")]).await.expect("a report");
    assert_eq!(report.added.len(), 1);
    assert_eq!(report.added[0].tools, ["other"]);
    assert_eq!(report.total, 2);
    let failed: Vec<_> = report.failed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(failed, ["a", "nobody"]);
    call(&gateway, &own, "other").await.expect("answers");
    let error = call(&gateway, &default, "other").await.expect_err("isolated");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_connections() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    call(&gateway, &context(&gateway, Some(&session.id)).await, "echo").await.expect("answers");
    gateway.delete_session(&default, &session.id).await.expect("deleted");
    assert_eq!(server.closes(), 1, "closed before the answer");
    let again = gateway.delete_session(&default, &session.id).await.expect_err("gone");
    assert_eq!(again.kind(), ErrorKind::NotFound);
    assert!(gateway.sessions(&default).await.expect("a list").is_empty());
}

#[tokio::test]
async fn time_ends_a_session_unless_it_is_used() {
    let server = echo();
    let gateway = gateway(&[("a", &server)]).await;
    let default = context(&gateway, None).await;
    let new = NewSession { ttl: Some(Duration::from_millis(1)), ..NewSession::default() };
    let session = gateway.create_session(&default, new).await.expect("made");
    eventually("it expires", || std::time::SystemTime::now() > session.expires_at).await;
    let error = gateway.session(&default, &session.id).await.expect_err("expired");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    eventually("the reaper has been", || gateway.health().sessions == 0).await;

    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let used = gateway.session(&default, &session.id).await.expect("lives");
    assert!(used.expires_at >= session.expires_at);
}

#[tokio::test]
async fn limits_are_said() {
    let config = EngineConfig { max_sessions: 1, max_servers_per_session: 1, ..EngineConfig::default() };
    let server = echo();
    let gateway = gateway_with(&[("a", &server)], config, |builder| builder).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let error = gateway.create_session(&default, NewSession::default()).await.expect_err("too many");
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.retry_after_ms().is_some());
    let report = gateway.add_servers(&default, vec![spec("b")]).await.expect("a report");
    assert!(report.failed[0].1.contains("sessions.max_servers"));
    gateway.delete_session(&default, &session.id).await.expect("deleted");
    gateway.create_session(&default, NewSession::default()).await.expect("there is room again");
    let new = NewSession { ttl: Some(Duration::from_secs(u64::from(u32::MAX))), ..NewSession::default() };
    let error = gateway.create_session(&default, new).await.expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn who_may_start_programs() {
    let program = || {
        let command = Command { program: "x".to_owned(), ..Command::default() };
        ServerSpec::new("p", "pigeon", Endpoint::Command(command)).expect("valid")
    };
    for (policy, local, refused) in [
        (CommandServers::Local, true, false),
        (CommandServers::Local, false, true),
        (CommandServers::Authenticated, true, true),
        (CommandServers::Never, true, true),
    ] {
        let config = EngineConfig { command_servers: policy, ..EngineConfig::default() };
        let gateway = gateway_with(&[], config, |builder| builder).await;
        let credentials = gateway_core::Credentials { token: None, local };
        let admission = gateway_core::Admission { credentials, ..Default::default() };
        let context = gateway.admit(admission).await.expect("anybody may");
        let report = gateway.add_servers(&context, vec![program()]).await.expect("a report");
        let message = &report.failed[0].1;
        assert_eq!(message.contains("command"), refused, "{policy:?} {local}: {message}");
    }
}

#[tokio::test]
async fn the_servers_file_is_followed() {
    let (a, b, c) = (echo(), echo(), echo());
    let transport = FakeTransport::new().with_server("a", &a).with_server("b", &b).with_server("c", &c);
    let gateway = builder(transport).with_servers(vec![spec("a"), spec("b")]).start().await.expect("starts");
    gateway.settled().await;
    let context = context(&gateway, None).await;
    gateway.replace_servers(vec![spec("b"), spec("c")]).await;
    gateway.settled().await;
    let names: Vec<_> = gateway.servers(&context).iter().map(|server| server.spec.name().to_owned()).collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!((a.closes(), b.connects(), b.closes(), c.connects()), (1, 1, 0, 1));
    gateway.replace_servers(vec![spec("b").with_disabled(true), spec("c")]).await;
    gateway.settled().await;
    assert_eq!((b.closes(), c.connects()), (1, 1), "a changed entry is another server");
}

#[tokio::test]
async fn sessions_share_what_is_shared() {
    let server = echo();
    let transport = FakeTransport::new().with_server("a", &server);
    let gateway = builder(transport).with_servers(vec![spec("a").with_shared(true)]).start().await.expect("starts");
    gateway.settled().await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    call(&gateway, &context(&gateway, Some(&session.id)).await, "echo").await.expect("answers");
    assert_eq!(server.connects(), 1);
    gateway.delete_session(&default, &session.id).await.expect("deleted");
    assert_eq!(server.closes(), 0, "the default session still holds it");
    call(&gateway, &default, "echo").await.expect("answers");
}
