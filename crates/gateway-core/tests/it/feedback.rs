//! Who learns from use hears what came of a search, once, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Admission, Auth, Context, Credentials, EngineConfig, Feedback, Gateway, NewSession, Principal, SearchRequest,
    Secret, ToolUse,
};
use gateway_testkit::fakes::{Answer, FakeServer, context, gateway_with};

use crate::support::call;

/// Writes down what it hears: who, query, `server/tool`, and whether the tool had the best score of those left.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Feedback for Notes {
    fn used(&self, used: &ToolUse<'_>) {
        let ToolUse { principal, query, server, tool, score, rival } = used;
        let standing = match rival {
            None => "alone",
            Some(rival) if rival > score => "behind",
            Some(_) => "first",
        };
        let note = format!("{principal}: {query} -> {server}/{tool}, {standing}");
        self.0.lock().expect("no panic").push(note);
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

/// Admits everybody under the name that is their token.
#[derive(Debug)]
struct ByName;

#[async_trait]
impl Auth for ByName {
    async fn authenticate(&self, credentials: &Credentials) -> gateway_core::Result<Principal> {
        let id = credentials.token.as_ref().map_or("nobody", Secret::expose).to_owned();
        Ok(Principal { id, authenticated: true })
    }

    fn allows(&self, _principal: &Principal, _server: &str, _tool: &str) -> bool {
        true
    }
}

fn clock() -> FakeServer {
    FakeServer::new()
        .with_tool("now", "tell time", Answer::echo())
        .with_tool("zone", "tell time zone", Answer::echo())
        .with_tool("cook", "food", Answer::echo())
        .with_tool("fails", "tell time wrongly", Answer::result(r#"{"content":[],"isError":true}"#))
        .with_tool("asks", "tell time slowly", Answer::result(r#"{"resultType":"input_required"}"#))
}

async fn learning() -> (Gateway, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let feedback = Arc::<Notes>::clone(&notes);
    let gateway =
        gateway_with(&[("clock", &clock())], EngineConfig::default(), |builder| builder.with_feedback(feedback)).await;
    (gateway, notes)
}

async fn search(gateway: &Gateway, context: &Context, query: &str) {
    let request = SearchRequest { query: query.to_owned(), limit: 10, servers: None, min_score: 0.0 };
    gateway.search(context, request).await.expect("finds");
}

#[tokio::test]
async fn a_run_is_told_once_with_the_newest_search_that_had_the_tool() {
    let (gateway, notes) = learning().await;
    let context = context(&gateway, None).await;
    call(&gateway, &context, "now").await.expect("runs");
    assert_eq!(notes.take(), [""; 0], "nobody searched for it");
    search(&gateway, &context, "time zone").await;
    search(&gateway, &context, "tell time").await;
    search(&gateway, &context, "unheard of").await;
    call(&gateway, &context, "zone").await.expect("runs");
    assert_eq!(notes.take(), ["anonymous: tell time -> clock/zone, first"]);
    call(&gateway, &context, "zone").await.expect("runs");
    assert_eq!(notes.take(), [""; 0], "an older search did not lead to the second run");
    search(&gateway, &context, "time zone").await;
    call(&gateway, &context, "now").await.expect("runs");
    assert_eq!(notes.take(), ["anonymous: time zone -> clock/now, behind"]);
    // What has been run was wanted, too.
    search(&gateway, &context, "zone of time").await;
    call(&gateway, &context, "zone").await.expect("runs");
    call(&gateway, &context, "now").await.expect("runs");
    let expected = ["anonymous: zone of time -> clock/zone, first", "anonymous: zone of time -> clock/now, first"];
    assert_eq!(notes.take(), expected);
    search(&gateway, &context, "wrongly").await;
    search(&gateway, &context, "zone").await;
    call(&gateway, &context, "zone").await.expect("runs");
    assert_eq!(notes.take(), ["anonymous: zone -> clock/zone, alone"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_failure_tells_nothing_and_a_later_success_does() {
    let (gateway, notes) = learning().await;
    let context = context(&gateway, None).await;
    search(&gateway, &context, "time").await;
    for tool in ["fails", "asks"] {
        call(&gateway, &context, tool).await.expect("is a reply");
    }
    assert_eq!(notes.take(), [""; 0]);
    call(&gateway, &context, "nothing").await.expect_err("is not there");
    assert_eq!(notes.take(), [""; 0]);
    call(&gateway, &context, "now").await.expect("runs");
    assert_eq!(notes.take().len(), 1);
    gateway.shutdown().await;
}

#[tokio::test]
async fn searches_of_others_are_not_ones_own() {
    let notes = Arc::new(Notes::default());
    let feedback = Arc::<Notes>::clone(&notes);
    let server = clock();
    let transport = gateway_testkit::fakes::FakeTransport::new().with_server("clock", &server);
    let store = gateway_testkit::fakes::FakeStore::shared();
    let router = Arc::new(gateway_testkit::fakes::FakeRouter);
    let gateway = gateway_core::GatewayBuilder::new(router, store, Arc::new(ByName))
        .with_transport(Arc::new(transport))
        .with_servers(vec![gateway_testkit::fakes::spec("clock")])
        .with_feedback(feedback)
        .start()
        .await
        .expect("starts");
    gateway.settled().await;
    let admit = async |name: &str, session_id: Option<&str>| {
        let credentials = Credentials { token: Some(Secret::new(name)), local: true };
        let admission = Admission { credentials, session_id: session_id.map(str::to_owned), ..Admission::default() };
        gateway.admit(admission).await.expect("everybody may")
    };
    let (ann, bob) = (admit("ann", None).await, admit("bob", None).await);
    let session = gateway.create_session(&ann, NewSession::default()).await.expect("has room");
    let ann_elsewhere = admit("ann", Some(&session.id)).await;
    search(&gateway, &ann, "time").await;
    call(&gateway, &bob, "now").await.expect("runs");
    call(&gateway, &ann_elsewhere, "now").await.expect("runs");
    assert_eq!(notes.take(), [""; 0]);
    search(&gateway, &bob, "time zone").await;
    call(&gateway, &ann, "now").await.expect("runs");
    assert_eq!(notes.take(), ["ann: time -> clock/now, first"]);
    gateway.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn after_ten_minutes_a_search_is_forgotten() {
    let (gateway, notes) = learning().await;
    let context = context(&gateway, None).await;
    search(&gateway, &context, "time").await;
    tokio::time::advance(Duration::from_secs(10 * 60 - 10)).await;
    call(&gateway, &context, "now").await.expect("runs");
    assert_eq!(notes.take().len(), 1);
    tokio::time::advance(Duration::from_secs(10)).await;
    call(&gateway, &context, "zone").await.expect("runs");
    assert_eq!(notes.take(), [""; 0]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn only_the_last_searches_and_the_beginning_of_each_are_remembered() {
    let (gateway, notes) = learning().await;
    let context = context(&gateway, None).await;
    for (others, expected) in [(7, 1), (8, 0)] {
        search(&gateway, &context, "food").await;
        for _ in 0..others {
            search(&gateway, &context, "zone").await;
        }
        call(&gateway, &context, "cook").await.expect("runs");
        assert_eq!(notes.take().len(), expected, "after {others} others");
    }
    search(&gateway, &context, &"time é".repeat(1_000)).await;
    call(&gateway, &context, "now").await.expect("runs");
    let notes = notes.take();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].len() < ToolUse::MAX_QUERY + 100, "{}", notes[0].len());
    gateway.shutdown().await;
}
