//! Several gateways over one store, and a session's list of servers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gateway_core::{Context, Gateway, GatewayBuilder, NewSession, ServerSelector, ServerSpec, SessionStore};
use gateway_testkit::fakes::{Answer, FakeAuth, FakeRouter, FakeServer, FakeStore, FakeTransport, context, spec};

pub fn echo() -> FakeServer {
    FakeServer::new().with_tool("echo", "", Answer::echo())
}

/// A gateway over `store` that is not running yet, with these servers in its file and some to add.
pub fn over(store: &Arc<FakeStore>, file: Vec<ServerSpec>, server: &FakeServer) -> GatewayBuilder {
    let names = ["a", "b", "c", "d", "e", "f"];
    let transport = names.iter().fold(FakeTransport::new(), |all, name| all.with_server(name, server));
    let store: Arc<dyn SessionStore> = Arc::<FakeStore>::clone(store);
    GatewayBuilder::new(Arc::new(FakeRouter), store, Arc::new(FakeAuth::open()))
        .with_transport(Arc::new(transport))
        .with_servers(file)
}

pub async fn replica(store: &Arc<FakeStore>) -> Gateway {
    over(store, vec![spec("a")], &echo()).start().await.expect("starts")
}

pub fn names(gateway: &Gateway, context: &Context) -> Vec<String> {
    gateway.servers(context).iter().map(|server| server.spec.name().to_owned()).collect()
}

#[tokio::test]
async fn changes_of_two_replicas_come_together() {
    let store = Arc::new(FakeStore::new());
    let (one, two) = (replica(&store).await, replica(&store).await);
    let default = context(&one, None).await;
    let session = one.create_session(&default, NewSession::default()).await.expect("made");
    let (own_one, own_two) = (context(&one, Some(&session.id)).await, context(&two, Some(&session.id)).await);
    let added = one.add_servers(&own_one, vec![spec("b")]).await.expect("added");
    assert_eq!(added.added.len(), 1);
    let added = two.add_servers(&own_two, vec![spec("c"), spec("b")]).await.expect("no conflict");
    assert_eq!((added.added.len(), added.total), (1, 3));
    assert!(added.failed[0].1.contains("is there already"), "{:?}", added.failed);
    assert_eq!(names(&two, &own_two), ["a", "b", "c"]);
    let removed = one.remove_server(&own_one, ServerSelector::Name("c".to_owned())).await.expect("removed");
    assert_eq!(removed.remaining.len(), 2);
    assert_eq!(names(&one, &own_one), ["a", "b"]);
}

#[tokio::test]
async fn a_store_that_is_away_changes_nothing() {
    let store = Arc::new(FakeStore::new());
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    let session = gateway.create_session(&default, NewSession::default()).await.expect("made");
    let own = context(&gateway, Some(&session.id)).await;
    store.set_unreachable(true);
    gateway.add_servers(&own, vec![spec("b")]).await.expect_err("not kept");
    gateway.remove_server(&own, ServerSelector::Name("a".to_owned())).await.expect_err("not kept");
    assert_eq!(names(&gateway, &own), ["a"]);
    store.set_unreachable(false);
    gateway.add_servers(&own, vec![spec("b")]).await.expect("kept");
}

#[tokio::test]
async fn a_list_takes_over_nothing_and_the_store_keeps_records_longer_than_they_live() {
    let store = Arc::new(FakeStore::new());
    let (one, two) = (replica(&store).await, replica(&store).await);
    let default = context(&one, None).await;
    let session = one.create_session(&default, NewSession::default()).await.expect("made");
    let listed = two.sessions(&context(&two, None).await).await.expect("listed");
    assert_eq!((listed.len(), listed[0].servers.len()), (1, 1));
    assert_eq!(listed[0].expires_at, session.expires_at);
    assert_eq!(two.health().sessions, 0);
    let stored = store.load(&session.id).await.expect("reached").expect("there");
    assert!(stored.expires_at >= session.expires_at + Duration::from_secs(5));
}

#[tokio::test]
async fn the_servers_file_decides_names_and_order() {
    let gateway = replica(&Arc::new(FakeStore::new())).await;
    gateway.settled().await;
    let context = context(&gateway, None).await;
    gateway.add_servers(&context, vec![spec("c")]).await.expect("added");
    gateway.replace_servers(vec![spec("b"), spec("a"), spec("b").with_shared(true)]).await;
    assert_eq!(names(&gateway, &context), ["b", "a", "c"], "the file's order, each name once");
    gateway.remove_server(&context, ServerSelector::Name("a".to_owned())).await.expect("removed");
    gateway.replace_servers(vec![spec("a"), spec("b"), spec("c").with_shared(true)]).await;
    assert_eq!(names(&gateway, &context), ["b", "c"], "what was removed stays so; the file's name wins");
    assert!(gateway.servers(&context)[1].spec.shared());
    gateway.replace_servers(vec![spec("b")]).await;
    gateway.replace_servers(vec![spec("b"), spec("a")]).await;
    assert_eq!(names(&gateway, &context), ["b", "a"]);
}

#[tokio::test]
async fn the_store_hears_of_the_use_of_a_short_session_in_time() {
    let store = Arc::new(FakeStore::new());
    let gateway = replica(&store).await;
    let default = context(&gateway, None).await;
    let new = NewSession { ttl: Some(Duration::from_millis(400)), ..NewSession::default() };
    let session = gateway.create_session(&default, new).await.expect("made");
    let begun = SystemTime::now();
    while begun.elapsed().expect("time goes on") < Duration::from_millis(1500) {
        gateway.session(&default, &session.id).await.expect("in use");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored = store.load(&session.id).await.expect("reached").expect("there");
    let elsewhere = replica(&store).await;
    context(&elsewhere, Some(&session.id)).await;
    assert!(stored.revision > 5, "renewed often: {}", stored.revision);
}
