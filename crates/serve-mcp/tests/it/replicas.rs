//! Legacy sessions over several gateways with one store: whichever of them a request reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use gateway_core::{Auth, RawJson, SessionStore, StoredSession};
use gateway_testkit::fakes::{Answer, FakeAuth, FakeServer, FakeStore};
use http::Method;
use serde_json::Value;
use serve_mcp::{Binding, Expose, McpConfig};

use crate::client::until;
use crate::client_http::send;
use crate::raw::{Session, request, told};
use crate::rig::{Rig, Setup};
use crate::sessions::{Everybody, demo};
use crate::sse::Events;
use crate::wire::LEGACY;

fn telling() -> Arc<FakeStore> {
    Arc::new(FakeStore::new().with_changes())
}

/// A gateway over this store, with a server of its own.
async fn replica(store: &Arc<FakeStore>, mcp: McpConfig, auth: Arc<dyn Auth>) -> (Rig, FakeServer) {
    let server = demo();
    (over(store, mcp, auth, &server).await, server)
}

async fn over(store: &Arc<FakeStore>, mcp: McpConfig, auth: Arc<dyn Auth>, server: &FakeServer) -> Rig {
    let store: Arc<dyn SessionStore> = Arc::<FakeStore>::clone(store);
    let mcp = McpConfig { expose: Expose::All, ..mcp };
    Rig::new(Setup { mcp, auth, store, fakes: vec![("demo", server.clone())], ..Setup::default() }).await
}

async fn open_replica(store: &Arc<FakeStore>, mcp: McpConfig) -> (Rig, FakeServer) {
    replica(store, mcp, Arc::new(FakeAuth::open())).await
}

async fn ids(store: &Arc<FakeStore>, prefix: &str) -> Vec<String> {
    store.list(prefix).await.unwrap().into_iter().map(|record| record.id).collect()
}

async fn tools(session: &Session) -> Vec<String> {
    let list = told(session.post(&request(2, "tools/list", "{}")).await).await.unwrap();
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

async fn echoes(session: &Session) -> bool {
    told(session.call(3, "echo", r#"{"said":1}"#).await).await.unwrap().to_string().contains("said")
}

/// The next event whose text contains this.
async fn hears(events: &mut Events, text: &str) {
    while !events.next().await.expect("the stream goes on").data.contains(text) {}
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_where_the_next_request_arrives() {
    let store = telling();
    let ((one, _), (two, _)) =
        (open_replica(&store, McpConfig::default()).await, open_replica(&store, McpConfig::default()).await);
    let at_one = Session::open_at(&one, "/mcp?expose=search", LEGACY, None).await.unwrap();
    let stream = at_one.listen(None).await;
    let at_two = at_one.at(&two);
    assert_eq!(at_two.ping().await, 200);
    let shown = tools(&at_two).await;
    assert_eq!((shown.len(), shown[0].as_str()), (2, "search_tools"), "it sees what it asked for when it began");
    assert_eq!((at_one.ping().await, at_two.delete().await, at_two.ping().await), (200, 204, 404));
    until("its end where it began", async || at_one.ping().await == 404).await;
    let mut events = stream.events();
    while events.next().await.is_some() {}
    assert_eq!(ids(&store, "mcp_").await, Vec::<String>::new());
    one.close().await;
    two.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_noticed_where_the_store_tells_nothing() {
    let store = Arc::new(FakeStore::new());
    let ((one, _), (two, _)) =
        (open_replica(&store, McpConfig::default()).await, open_replica(&store, McpConfig::default()).await);
    let (listening, asking) = (Session::open(&one).await, Session::open(&one).await);
    let stream = listening.listen(None).await;
    assert_eq!((listening.at(&two).delete().await, asking.at(&two).delete().await), (204, 204));
    let mut events = stream.events();
    while events.next().await.is_some() {}
    until("the end of what is used", async || asking.ping().await == 404).await;
    one.close().await;
    two.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_only_its_owners_everywhere() {
    let store = telling();
    let (one, _) = replica(&store, McpConfig::default(), Arc::new(Everybody)).await;
    let (two, _) = replica(&store, McpConfig::default(), Arc::new(Everybody)).await;
    let ann = Session::open_at(&one, "/mcp", LEGACY, Some("ann")).await.unwrap();
    for (token, expected) in [(Some("bob"), 404), (None, 401)] {
        let thief = Session { token, ..ann.at(&two) };
        assert_eq!([thief.ping().await, thief.delete().await, thief.listen(None).await.status], [expected; 3]);
    }
    assert_eq!((ann.ping().await, ann.at(&two).ping().await), (200, 200));
    let thief = Session { token: Some("bob"), ..ann.at(&two) };
    assert_eq!((thief.ping().await, thief.delete().await, ann.at(&two).ping().await), (404, 404, 200));
    one.close().await;
    two.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_of_ones_own_ends_with_its_last_use_anywhere() {
    for store in [telling(), Arc::new(FakeStore::new())] {
        let mcp = || McpConfig { binding: Binding::Own, own_session_ttl_ms: 60_000, ..McpConfig::default() };
        let ((one, _), (two, served)) = (open_replica(&store, mcp()).await, open_replica(&store, mcp()).await);
        let at_one = Session::open(&one).await;
        let at_two = at_one.at(&two);
        assert!(echoes(&at_one).await && echoes(&at_two).await);
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            assert!(echoes(&at_two).await, "the other one must not end it");
        }
        assert_eq!((ids(&store, "mcp_").await.len(), ids(&store, "sess_").await.len()), (1, 1));
        // Back to where it began, which has given its own copy up.
        assert!(echoes(&at_one).await);
        let closed = served.closes();
        tokio::time::sleep(Duration::from_secs(70)).await;
        until("nothing is left", async || {
            ids(&store, "mcp_").await.is_empty() && ids(&store, "sess_").await.is_empty()
        })
        .await;
        assert_eq!((at_one.ping().await, at_two.ping().await), (404, 404));
        if store.changes().is_some() {
            until("its servers have ended everywhere", async || served.closes() == closed + 1).await;
        }
        one.close().await;
        two.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_the_gateway_that_it_began_at() {
    let store = telling();
    let mcp = || McpConfig { binding: Binding::Own, ..McpConfig::default() };
    let (one, _) = open_replica(&store, mcp()).await;
    let session = Session::open(&one).await;
    assert!(echoes(&session).await);
    one.close().await;
    let (two, _) = open_replica(&store, mcp()).await;
    let session = session.at(&two);
    assert!(echoes(&session).await);
    assert_eq!((ids(&store, "sess_").await.len(), session.delete().await), (1, 204));
    assert_eq!(ids(&store, "sess_").await, Vec::<String>::new());
    two.close().await;
}

/// A server with resources, and how often it has been asked to watch one.
fn watched() -> (FakeServer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let subscribe = Answer::new(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(RawJson::empty_object()))
    });
    let resources = r#"{"resources":[{"uri":"x:1","name":"one"},{"uri":"x:2","name":"two"}]}"#;
    let server = demo()
        .with_method("resources/list", Answer::result(resources))
        .with_method("resources/subscribe", subscribe)
        .with_method("resources/unsubscribe", Answer::result("{}"));
    (server, count)
}

#[tokio::test(start_paused = true)]
async fn what_a_client_wished_goes_with_its_session() {
    let store = telling();
    let ((server_one, watches_one), (server_two, watches_two)) = (watched(), watched());
    let auth = || Arc::new(FakeAuth::open());
    let one = over(&store, McpConfig::default(), auth(), &server_one).await;
    let two = over(&store, McpConfig::default(), auth(), &server_two).await;
    let at_one = Session::open(&one).await;
    let at_two = at_one.at(&two);
    let wish = async |session: &Session, method: &str, params: &str| {
        told(session.post(&request(4, method, params)).await).await.unwrap();
    };
    wish(&at_one, "logging/setLevel", r#"{"level":"info"}"#).await;
    wish(&at_one, "resources/subscribe", r#"{"uri":"demo+x:1"}"#).await;
    until("the record says so", async || store.contains("demo+x:1")).await;

    // The client moves to the second, and listens there.
    let mut events = at_two.listen(None).await.events();
    until("it is watched there", async || watches_two.load(Ordering::SeqCst) == 1).await;
    server_two.say("notifications/resources/updated", r#"{"uri":"x:1"}"#);
    hears(&mut events, "demo+x:1").await;
    server_two.say("notifications/message", r#"{"level":"info","data":"heard"}"#);
    hears(&mut events, "heard").await;

    // It goes on listening there while its requests arrive at the first.
    wish(&at_one, "resources/subscribe", r#"{"uri":"demo+x:2"}"#).await;
    wish(&at_one, "resources/unsubscribe", r#"{"uri":"demo+x:1"}"#).await;
    until("it is watched there, too", async || watches_two.load(Ordering::SeqCst) == 2).await;
    server_two.say("notifications/resources/updated", r#"{"uri":"x:1"}"#);
    server_two.say("notifications/resources/updated", r#"{"uri":"x:2"}"#);
    let next = events.next().await.unwrap().data;
    assert!(next.contains("demo+x:2"), "{next}");
    assert_eq!(watches_one.load(Ordering::SeqCst), 2, "nobody listens at the first: only what it was asked");
    one.close().await;
    two.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_stops_no_session() {
    let store = telling();
    let ((one, _), (two, _)) =
        (open_replica(&store, McpConfig::default()).await, open_replica(&store, McpConfig::default()).await);
    let before = Session::open(&one).await;
    store.set_unreachable(true);
    let meanwhile = Session::open(&one).await;
    for session in [&before, &meanwhile] {
        assert!(echoes(session).await);
        // Whether there is such a session nobody can say: initializing again would be the wrong answer.
        let answer = session.at(&two).post(&request(1, "ping", "{}")).await;
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let (status, error) = told(answer).await.unwrap_err();
        assert_eq!((status, &error["data"]["kind"]), (503, &Value::from("unavailable")));
    }
    assert_eq!((before.delete().await, before.ping().await), (503, 200), "an end that cannot be kept is none");
    store.set_unreachable(false);
    until("the other one is kept after all", async || ids(&store, "mcp_").await.len() == 2).await;
    assert_eq!((before.at(&two).ping().await, meanwhile.at(&two).ping().await), (200, 200));
    assert_eq!((before.delete().await, meanwhile.at(&two).delete().await), (204, 204));
    one.close().await;
    two.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_costs_the_store_nothing() {
    let store = telling();
    let (rig, _) = open_replica(&store, McpConfig::default()).await;
    let session = Session::open(&rig).await;
    let before = store.operations();
    for _ in 0..200 {
        assert_eq!(session.ping().await, 200);
    }
    let at_once = store.operations() - before;
    assert!(at_once <= 4, "200 requests, {at_once} operations");
    let before = store.operations();
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(session.ping().await, 200);
    }
    let in_a_minute = store.operations() - before;
    // A renewal every 30 seconds, and one look that finds it to be its own.
    assert!((2..=6).contains(&in_a_minute), "a minute of use, {in_a_minute} operations");
    let before = store.operations();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(store.operations() - before <= 4, "nobody uses it");
    rig.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_record_of_a_session_is_none() {
    let store = telling();
    let (rig, _) = open_replica(&store, McpConfig { binding: Binding::Own, ..McpConfig::default() }).await;
    let session = Session::open(&rig).await;
    let kept = store.load(&session.id).await.unwrap().unwrap();
    let changed = |from: &str, to: &str| String::from_utf8(kept.data.to_vec()).unwrap().replace(from, to);
    let past = SystemTime::now() - Duration::from_secs(1);
    for (id, data, expires_at) in [
        ("mcp_1", "nothing".to_owned(), kept.expires_at),
        ("mcp_2", "{}".to_owned(), kept.expires_at),
        ("mcp_3", changed("2025-11-25", "2099-01-01"), kept.expires_at),
        ("mcp_4", changed("2025-11-25", "2026-07-28"), kept.expires_at),
        ("mcp_5", changed("\"sess_", "\"sess_0"), kept.expires_at),
        ("mcp_6", changed("\"sess_", "\"../"), kept.expires_at),
        ("mcp_7", changed("\"ended\":false", "\"ended\":true"), kept.expires_at),
        ("mcp_8", changed("", ""), past),
    ] {
        store.put(id, Some(StoredSession { id: id.to_owned(), revision: 1, expires_at, data: data.into() }));
        assert_eq!(Session { id: id.to_owned(), ..session.clone() }.ping().await, 404, "{id}");
    }
    let own = ids(&store, "sess_").await.remove(0);
    for id in [own.as_str(), "global", "mcp_", "mcp_../x", "mcp_%00"] {
        assert_eq!(Session { id: id.to_owned(), ..session.clone() }.ping().await, 404, "{id}");
    }
    let unchanged = send(&rig.http, Method::GET, &format!("/sessions/{own}"), &[], "").await;
    assert_eq!((unchanged.status, session.ping().await), (200, 200));
    rig.close().await;
}
