//! Legacy sessions: whose they are, how they end, and which session of the gateway they use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Auth, Credentials, Error, ErrorKind, Principal, Result};
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serde_json::Value;
use serve_mcp::{Binding, Expose, McpConfig};

use crate::client::until;
use crate::client_http::send;
use crate::raw::{ACCEPT, JSON, Session, ask_modern, initialize, request, told};
use crate::rig::{Rig, Setup};
use crate::wire::LEGACY;

/// Knows everybody by the token that they send.
#[derive(Debug)]
pub struct Everybody;

#[async_trait]
impl Auth for Everybody {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal> {
        let token = credentials.token.as_ref();
        let token = token.ok_or_else(|| Error::new(ErrorKind::Unauthenticated, "send a token"))?;
        Ok(Principal { id: token.expose().to_owned(), authenticated: true })
    }

    fn allows(&self, _: &Principal, _: &str, _: &str) -> bool {
        true
    }
}

pub fn demo() -> FakeServer {
    FakeServer::new().with_tool("echo", "Repeats", Answer::echo()).with_tool("hang", "Never answers", Answer::hang())
}

async fn rig(mcp: McpConfig) -> (Rig, FakeServer) {
    let demo = demo();
    let mcp = McpConfig { expose: Expose::All, ..mcp };
    (Rig::new(Setup { mcp, fakes: vec![("demo", demo.clone())], ..Setup::default() }).await, demo)
}

/// The gateway's own sessions, by the REST door.
async fn gateway_sessions(rig: &Rig) -> u64 {
    let list = send(&rig.http, Method::GET, "/sessions", &[], "").await.text().await;
    serde_json::from_str::<Value>(&list).unwrap()["total"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_delete() {
    let (rig, _) = rig(McpConfig::default()).await;
    let (session, other) = (Session::open(&rig).await, Session::open(&rig).await);
    assert!(session.id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) && session.id.len() >= 32, "{}", session.id);
    assert_ne!(session.id, other.id);
    let stream = session.listen(None).await;
    assert_eq!((session.ping().await, session.delete().await), (200, 204));
    for answer in [session.post(&request(1, "ping", "{}")).await, session.listen(None).await] {
        assert_eq!(told(answer).await.unwrap_err().0, 404);
    }
    assert_eq!((session.ping().await, session.delete().await, other.ping().await), (404, 404, 200));
    let mut events = stream.events();
    while events.next().await.is_some() {}
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_only_its_owners() {
    let setup = Setup { auth: Arc::new(Everybody), fakes: vec![("demo", demo())], ..Setup::default() };
    let rig = Rig::new(setup).await;
    let (status, _) = Session::open_at(&rig, "/mcp", LEGACY, None).await.map(|_| ()).unwrap_err();
    assert_eq!(status, 401);
    let ann = Session::open_at(&rig, "/mcp", LEGACY, Some("ann")).await.unwrap();
    let thief = |token| Session { id: ann.id.clone(), token, ..Session::clone(&ann) };
    for (token, expected) in [(Some("bob"), 404), (None, 401)] {
        let thief = thief(token);
        let statuses = [
            thief.ping().await,
            thief.listen(None).await.status,
            thief.listen(Some("0-0")).await.status,
            thief.delete().await,
        ];
        assert_eq!(statuses, [expected; 4], "{token:?}");
    }
    let refused = thief(None).post(&request(1, "ping", "{}")).await;
    assert!(refused.header("www-authenticate").is_some(), "{refused:?}");
    let refused = ask_modern(&rig, "/mcp", &[], "tools/list", "").await;
    assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true), "{refused:?}");
    assert_eq!((ann.ping().await, ann.delete().await), (200, 204));
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_without_use_expires() {
    let (rig, demo) = rig(McpConfig { session_ttl_ms: 60_000, ..McpConfig::default() }).await;
    let long = Duration::from_secs(70);
    let idle = Session::open(&rig).await;
    let calling = Arc::new(Session::open(&rig).await);
    let listening = Session::open(&rig).await;
    let stream = listening.listen(None).await;
    let caller = Arc::clone(&calling);
    let call = tokio::spawn(async move { caller.call(1, "hang", "{}").await });
    until("the call", async || demo.calls() == 1).await;
    tokio::time::sleep(long).await;
    assert_eq!((idle.ping().await, calling.ping().await, listening.ping().await), (404, 200, 200));
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(listening.ping().await, 200, "used often enough");
    }
    drop(stream);
    // It had nothing to say, but its stream has begun by now; nobody comes back to it.
    drop(call.await.unwrap());
    until("the end of the call", async || demo.cancelled() == 1).await;
    tokio::time::sleep(long).await;
    assert_eq!((calling.ping().await, listening.ping().await), (404, 404));
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_of_ones_own_ends_with_the_client() {
    for (binding, path, own) in
        [(Binding::Shared, "/mcp", 0), (Binding::Shared, "/mcp?session=new", 1), (Binding::Own, "/mcp", 1)]
    {
        let (rig, _) = rig(McpConfig { binding, session_ttl_ms: 60_000, ..McpConfig::default() }).await;
        let first = Session::open_at(&rig, path, LEGACY, None).await.unwrap();
        let second = Session::open_at(&rig, path, LEGACY, None).await.unwrap();
        assert_eq!(gateway_sessions(&rig).await, 2 * own, "{binding:?} {path}");
        assert!(told(first.call(1, "echo", r#"{"a":1}"#).await).await.unwrap().to_string().contains("a"));
        assert_eq!(first.delete().await, 204);
        assert_eq!(gateway_sessions(&rig).await, own, "{binding:?} {path}: ended with DELETE");
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert_eq!((second.ping().await, gateway_sessions(&rig).await), (404, 0), "{binding:?} {path}: expired");
        rig.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_uses_the_session_that_it_names() {
    let (rig, _) = rig(McpConfig::default()).await;
    let made = send(&rig.http, Method::POST, "/sessions/create", &[JSON], "{}").await.text().await;
    let id = serde_json::from_str::<Value>(&made).unwrap()["session_id"].as_str().unwrap().to_owned();
    let (headers, remove) = ([JSON, ("x-session-id", &*id)], r#"{"server_name":"demo"}"#);
    assert_eq!(send(&rig.http, Method::POST, "/mcp/servers/remove", &headers, remove).await.status, 200);
    let tools = async |path: &str, headers: &[(&str, &str)]| {
        told(ask_modern(&rig, path, headers, "tools/list", "").await).await.unwrap()["tools"].as_array().unwrap().len()
    };
    let in_url = format!("/mcp?session={id}");
    assert_eq!(tools("/mcp", &[]).await, 2);
    assert_eq!((tools(&in_url, &[]).await, tools("/mcp", &[("x-session-id", &id)]).await), (0, 0));
    let legacy = Session::open_at(&rig, &in_url, LEGACY, None).await.unwrap();
    let list = told(legacy.post(&request(1, "tools/list", "{}")).await).await.unwrap();
    assert_eq!(list["tools"], Value::Array(Vec::new()));
    // It is not its own: it stays when the client leaves.
    assert_eq!((legacy.delete().await, gateway_sessions(&rig).await), (204, 1));
    for path in ["/mcp?session=sess_nobody", "/mcp?session=../x"] {
        let (status, body) = Session::open_at(&rig, path, LEGACY, None).await.map(|_| ()).unwrap_err();
        assert_eq!((status, &body["error"]["data"]["kind"]), (404, &Value::from("not_found")), "{path}");
        let (_, error) = told(ask_modern(&rig, path, &[], "tools/list", "").await).await.unwrap_err();
        assert_eq!(error["data"]["kind"], "not_found", "{path}");
    }
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn there_is_room_for_so_many() {
    let (rig, _) = rig(McpConfig { max_sessions: 2, ..McpConfig::default() }).await;
    let first = Session::open(&rig).await;
    let _second = Session::open(&rig).await;
    let refused =
        send(&rig.http, Method::POST, "/mcp", &[ACCEPT, JSON], &request(5, "initialize", &initialize(LEGACY))).await;
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    let (status, error) = told(refused).await.unwrap_err();
    assert_eq!((status, &error["data"]["kind"]), (429, &Value::from("rate_limited")));
    assert_eq!(first.delete().await, 204);
    Session::open(&rig).await;
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_revision_is_agreed_on() {
    let (rig, _) = rig(McpConfig::default()).await;
    for (asked, expected) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1.0", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let body = request(5, "initialize", &initialize(asked));
        let answer = send(&rig.http, Method::POST, "/mcp", &[ACCEPT, JSON], &body).await;
        assert_eq!(told(answer).await.unwrap()["protocolVersion"], expected, "{asked}");
    }
    rig.close().await;
}

/// The streams of calls that were cancelled end without an answer. To a client that is a stream that broke off, and
/// the SDKs for TypeScript and Python take those up again until they are refused.
#[tokio::test(start_paused = true)]
async fn a_stream_that_has_ended_is_not_taken_up_again() {
    let slow = Answer::progress(1).after(Duration::from_secs(3600));
    let demo = demo().with_tool("slow", "Takes an hour", slow);
    let mcp = McpConfig { expose: Expose::All, ..McpConfig::default() };
    let rig = Rig::new(Setup { mcp, fakes: vec![("demo", demo.clone())], ..Setup::default() }).await;
    let session = Session::open(&rig).await;
    let mut events = session.call(1, "slow", "{}").await.events();
    let priming = events.next().await.unwrap().id.unwrap();
    let progress = events.next().await.unwrap().id.unwrap();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(session.post(cancel).await.status, 202);
    assert!(events.next().await.is_none());
    until("the end of the call", async || demo.cancelled() == 1).await;
    // What was lost on the way is still to be had; after it there is nothing.
    let mut again = session.listen(Some(&priming)).await.events();
    assert_eq!(again.next().await.unwrap().id.as_ref(), Some(&progress));
    assert!(again.next().await.is_none());
    assert_eq!(session.listen(Some(&progress)).await.status, 400);
    rig.close().await;
}
