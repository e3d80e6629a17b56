//! The road of a call.

use std::time::Duration;

use gateway_core::{Admission, Credentials, EngineConfig, ErrorKind, Gateway, Listener, RawJson, SearchRequest};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, gateway_with, spec};

use crate::support::{call, eventually, tool_call};

const ODD: &str = r#"{"z":1.50e+3,"content":[{"type":"x-new","deep":{"b":1,"a":[ 1 , 2]}}],"_meta":{"k":100000000000000000000001},"isError":false}"#;

#[tokio::test]
async fn a_result_passes_byte_for_byte() {
    let server = FakeServer::new().with_tool("odd", "", Answer::result(ODD));
    let gateway = gateway(&[("a", &server)]).await;
    let reply = call(&gateway, &context(&gateway, None).await, "odd").await.expect("answers");
    assert_eq!(reply.result.as_str(), ODD);
    assert_eq!((&*reply.server, reply.tool.name()), ("a", "odd"));
}

#[tokio::test]
async fn arguments_pass_byte_for_byte() {
    let server = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let args = r#"{"b" : 1.0,"a":"é"}"#;
    let context = context(&gateway, None).await;
    let reply = gateway.call(&context, tool_call("a__echo", args)).await.expect("answers");
    let text = serde_json::to_string(args).expect("is JSON");
    assert!(reply.result.as_str().contains(&text), "{}", reply.result.as_str());
}

#[tokio::test]
async fn each_mistake_has_its_kind() {
    let a = FakeServer::new().with_tool("both", "", Answer::echo()).with_tool(
        "broken",
        "",
        Answer::error(ErrorKind::UpstreamFailed, "it broke"),
    );
    let b = FakeServer::new().with_tool("both", "", Answer::echo());
    let gateway = gateway(&[("a", &a), ("b", &b)]).await;
    let context = context(&gateway, None).await;
    for (name, expected) in [
        ("both", ErrorKind::Conflict),
        ("nothing", ErrorKind::NotFound),
        ("c__both", ErrorKind::NotFound),
        ("broken", ErrorKind::UpstreamFailed),
    ] {
        let error = call(&gateway, &context, name).await.expect_err(name);
        assert_eq!(error.kind(), expected, "{name}: {error}");
    }
    let array = gateway.call(&context, tool_call("a__both", "[]")).await.expect_err("no object");
    assert_eq!(array.kind(), ErrorKind::InvalidArguments);
    let mut elsewhere = tool_call("broken", "{}");
    elsewhere.server = Some("nobody".to_owned());
    let error = gateway.call(&context, elsewhere).await.expect_err("no such server");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn dropping_a_call_cancels_it_upstream_and_harms_nothing() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang()).with_tool("echo", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let hanging = call(&gateway, &context, "hang");
    tokio::time::timeout(Duration::from_millis(20), hanging).await.expect_err("it hangs");
    assert_eq!(server.cancelled(), 1);
    call(&gateway, &context, "echo").await.expect("the connection is still good");
    assert_eq!(server.connects(), 1);
}

#[tokio::test]
async fn the_callers_own_limit_ends_a_call() {
    let server = FakeServer::new().with_tool("hang", "", Answer::hang());
    let gateway = gateway(&[("a", &server)]).await;
    let admission = Admission { timeout: Some(Duration::from_millis(20)), ..Admission::default() };
    let context = gateway.admit(admission).await.expect("anybody may");
    let error = call(&gateway, &context, "hang").await.expect_err("it hangs");
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(server.cancelled(), 1);
}

#[tokio::test]
async fn progress_reaches_its_own_caller_in_order() {
    let server = FakeServer::new().with_tool("steps", "", Answer::progress(100));
    let gateway = gateway(&[("a", &server)]).await;
    let (listener, mut heard) = Listener::channel(1000);
    let admission = Admission { listener: Some(listener), ..Admission::default() };
    let context = gateway.admit(admission).await.expect("anybody may");
    call(&gateway, &context, "steps").await.expect("answers");
    for step in 1..=100 {
        let notification = heard.try_recv().expect("came before the result");
        let expected = format!(r#""progress":{step},"#);
        assert!(notification.params.as_str().contains(&expected), "{}", notification.params.as_str());
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn one_bad_server_delays_no_other() {
    let good = FakeServer::new().with_tool("echo", "repeats", Answer::echo());
    let never = FakeServer::new().with_failed_connects(&[None]);
    let dead = FakeServer::new().with_failed_connects(&[Some(ErrorKind::Unavailable); 50]);
    let alone = gateway_unsettled(&[("good", &good), ("never", &never), ("dead", &dead)]).await;
    let context = context(&alone, None).await;
    eventually("the good one is listed", || alone.tools(&context).len() == 1).await;
    let limit = Duration::from_secs(1);
    tokio::time::timeout(limit, call(&alone, &context, "echo")).await.expect("at once").expect("answers");
    let request = SearchRequest { query: "repeats".to_owned(), limit: 5, servers: None, min_score: 0.0 };
    let found = tokio::time::timeout(limit, alone.search(&context, request)).await;
    assert_eq!(found.expect("at once").expect("answers").matches.len(), 1);
    let refused = tokio::time::timeout(limit, call(&alone, &context, "dead__echo")).await.expect("at once");
    assert_eq!(refused.expect_err("it is dead").kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_is_still_being_connected() {
    let slow = FakeServer::new().with_tool("echo", "", Answer::echo());
    let gateway = gateway_unsettled(&[("slow", &slow)]).await;
    let context = context(&gateway, None).await;
    call(&gateway, &context, "echo").await.expect("not denied while starting");
}

#[tokio::test]
async fn an_unknown_session_is_refused() {
    let server = FakeServer::new();
    let gateway = gateway_with(&[("a", &server)], EngineConfig::default(), |builder| builder).await;
    let admission = Admission {
        credentials: Credentials::default(),
        session_id: Some("sess_none".to_owned()),
        ..Admission::default()
    };
    let error = gateway.admit(admission).await.expect_err("no such session");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// A gateway whose servers have not been waited for.
async fn gateway_unsettled(servers: &[(&str, &FakeServer)]) -> Gateway {
    let transport = servers.iter().fold(FakeTransport::new(), |all, (name, server)| all.with_server(name, server));
    let specs = servers.iter().map(|(name, _)| spec(name)).collect();
    builder(transport).with_servers(specs).start().await.expect("names are unique")
}

#[test]
fn raw_json_never_shows_itself() {
    let raw = RawJson::parse(r#"{"password":"hush"}"#).expect("valid");
    assert!(!format!("{raw:?}").contains("hush"));
}
