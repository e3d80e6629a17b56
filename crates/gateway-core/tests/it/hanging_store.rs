//! A store that neither answers nor refuses: what needs nothing from it goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{Context, Gateway, NewSession, SessionStatus};
use gateway_testkit::fakes::{Answer, FakeServer, FakeStore, context, spec};

use crate::replicas::{over, replica};
use crate::support::{call, eventually};

/// A request that the store holds up takes no longer than this.
const PROMPT: Duration = Duration::from_secs(2);

async fn session(gateway: &Gateway, ttl_ms: u64) -> SessionStatus {
    let ttl = Some(Duration::from_millis(ttl_ms));
    let new = NewSession { ttl, ..NewSession::default() };
    gateway.create_session(&context(gateway, None).await, new).await.expect("made")
}

/// A request in a session.
async fn request(gateway: &Gateway, id: &str) -> Context {
    tokio::time::timeout(PROMPT, context(gateway, Some(id))).await.expect("the store is not needed for it")
}

#[tokio::test]
async fn requests_in_known_sessions_wait_for_no_store_that_hangs() {
    let store = Arc::new(FakeStore::new());
    let gateway = replica(&store).await;
    let session = session(&gateway, 4_000).await;
    let own = request(&gateway, &session.id).await;
    call(&gateway, &own, "echo").await.expect("called");
    store.set_hanging(true);
    let (asked, begun) = (store.operations(), Instant::now());
    let mut longest = Duration::ZERO;
    // So long that its record is due again and again.
    while begun.elapsed() < Duration::from_secs(5) {
        let begun = Instant::now();
        let own = request(&gateway, &session.id).await;
        call(&gateway, &own, "echo").await.expect("called");
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(store.operations() > asked, "the store has been asked");
    assert!(longest < PROMPT, "a request took {longest:?}");
    let before = store.revision(&session.id);
    store.set_hanging(false);
    eventually("what waited for the store is done", || store.revision(&session.id) > before).await;
    tokio::time::timeout(PROMPT, gateway.shutdown()).await.expect("it ends in time");
}

#[tokio::test]
async fn a_gateway_stops_while_its_store_hangs() {
    let store = Arc::new(FakeStore::new());
    let gateway = replica(&store).await;
    let session = session(&gateway, 4_000).await;
    store.set_hanging(true);
    let asked = store.operations();
    while store.operations() == asked {
        request(&gateway, &session.id).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::timeout(PROMPT, gateway.shutdown()).await.expect("it ends in time");
}

#[tokio::test]
async fn sessions_end_in_time_while_the_store_hangs() {
    let store = Arc::new(FakeStore::new());
    let server = FakeServer::new().with_tool("hang", "", Answer::hang()).with_tool("echo", "", Answer::echo());
    let gateway = over(&store, vec![spec("a")], &server).start().await.expect("starts");
    let busy = session(&gateway, 400).await;
    let busy_context = request(&gateway, &busy.id).await;
    let calling = tokio::spawn({
        let gateway = gateway.clone();
        async move { call(&gateway, &busy_context, "hang").await }
    });
    eventually("the call is under way", || server.calls() == 1).await;
    let idle = session(&gateway, 2_500).await;
    let idle_context = request(&gateway, &idle.id).await;
    call(&gateway, &idle_context, "echo").await.expect("called");
    drop(idle_context);
    store.set_hanging(true);
    let asked = store.operations();
    eventually("the busy session's record is looked at", || store.operations() > asked).await;
    assert_eq!(gateway.health().sessions, 2);
    let begun = Instant::now();
    while gateway.health().sessions == 2 {
        assert!(begun.elapsed() < Duration::from_secs(6), "the idle session has not ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!calling.is_finished());
    calling.abort();
    store.set_hanging(false);
}
