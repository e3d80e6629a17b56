//! Reading, naming and changing tools.

use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use gateway_core::{
    Context, EngineConfig, Gateway, GatewayBuilder, Index, NewSession, Result, Router, SearchRequest, ServerTools,
};
use gateway_testkit::fakes::{
    Answer, FakeAuth, FakeRouter, FakeServer, FakeStore, FakeTransport, context, gateway, spec,
};

use crate::support::eventually;

const PAGE_1: &str = r#"{"tools":[{"name":"one","inputSchema":{},"x":1.0}],"nextCursor":"1"}"#;

#[tokio::test]
async fn all_pages_are_read() {
    let pages = [
        PAGE_1,
        r#"{"tools":[{"name":"two","inputSchema":{}}],"nextCursor":"2"}"#,
        r#"{"tools":[{"name":"three","inputSchema":{}}]}"#,
    ];
    let server = FakeServer::new().with_pages(&pages);
    let gateway = gateway(&[("a", &server)]).await;
    let tools = gateway.tools(&context(&gateway, None).await);
    let names: Vec<_> = tools.iter().map(|entry| &*entry.qualified_name).collect();
    assert_eq!(names, ["a__one", "a__two", "a__three"]);
    assert_eq!(tools[0].tool.raw().as_str(), r#"{"name":"one","inputSchema":{},"x":1.0}"#);
}

#[tokio::test]
async fn a_repeated_cursor_ends_the_reading_with_a_warning() {
    let server =
        FakeServer::new().with_pages(&[PAGE_1, r#"{"tools":[{"name":"two","inputSchema":{}}],"nextCursor":"1"}"#]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 2);
    let status = &gateway.servers(&context)[0];
    assert!(status.warnings[0].contains("repeats the cursor"), "{:?}", status.warnings);
}

#[tokio::test]
async fn one_malformed_tool_loses_only_itself_and_is_shown() {
    let server = FakeServer::new()
        .with_pages(&[r#"{"tools":[{"name":"good","inputSchema":{}},{"name":"bad","inputSchema":7},3]}"#]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 1);
    let status = &gateway.servers(&context)[0];
    assert_eq!(status.rejected.len(), 2);
    assert_eq!(status.rejected[0].name.as_deref(), Some("bad"));
}

#[tokio::test]
async fn list_changed_is_followed() {
    let server = FakeServer::new().with_tool("one", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 1);
    server.add_tool("two", "", Answer::echo());
    for _ in 0..100 {
        server.announce();
    }
    eventually("the new tool is seen", || gateway.tools(&context).len() == 2).await;
    assert!(server.lists() <= 10, "a burst is read together: {}", server.lists());
}

#[tokio::test]
async fn listing_and_searching_ask_no_upstream() {
    let server = FakeServer::new().with_tool("one", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let before = server.lists();
    for _ in 0..10 {
        gateway.tools(&context);
    }
    assert_eq!(server.lists(), before);
}

/// What a router was asked for: for each index, how many of its servers the router had not seen before, and whether
/// the index before it was still there.
#[derive(Debug, Default)]
struct Watcher {
    seen: Mutex<Vec<(usize, bool)>>,
    tools: Mutex<Vec<Weak<ServerTools>>>,
    last: Mutex<Option<Weak<dyn Index>>>,
}

#[derive(Debug)]
struct WatchedRouter(Arc<Watcher>);

#[async_trait]
impl Router for WatchedRouter {
    fn name(&self) -> &str {
        "watched"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let index = FakeRouter.index(servers).await?;
        let mut tools = self.0.tools.lock().expect("nobody panicked");
        let is_known = |server: &Arc<ServerTools>| tools.iter().any(|known| known.as_ptr() == Arc::as_ptr(server));
        let new: Vec<_> = servers.iter().filter(|server| !is_known(server)).map(Arc::downgrade).collect();
        let last = self.0.last.lock().expect("nobody panicked").replace(Arc::downgrade(&index));
        let lives = last.is_some_and(|last| last.strong_count() > 0);
        self.0.seen.lock().expect("nobody panicked").push((new.len(), lives));
        tools.extend(new);
        Ok(index)
    }
}

/// A gateway whose router is watched, with these servers.
async fn watched(servers: &[FakeServer]) -> (Gateway, Arc<Watcher>) {
    let watcher = Arc::new(Watcher::default());
    let name = |place: usize| format!("s{place}");
    let transport = servers
        .iter()
        .enumerate()
        .fold(FakeTransport::new(), |all, (place, server)| all.with_server(&name(place), server));
    let specs = (0..servers.len()).map(|place| spec(&name(place))).collect();
    let router = Arc::new(WatchedRouter(Arc::clone(&watcher)));
    let gateway = GatewayBuilder::new(router, FakeStore::shared(), Arc::new(FakeAuth::open()))
        .with_transport(Arc::new(transport))
        .with_config(EngineConfig::default())
        .with_servers(specs)
        .start()
        .await
        .expect("names are unique");
    gateway.settled().await;
    (gateway, watcher)
}

async fn found(gateway: &Gateway, context: &Context, query: &str) -> usize {
    let request = SearchRequest { query: query.to_owned(), limit: 50, min_score: 0.0, servers: None };
    gateway.search(context, request).await.expect("the router answers").matches.len()
}

#[tokio::test]
async fn sessions_with_equal_servers_share_one_index() {
    let servers = [FakeServer::new().with_tool("one", "", Answer::echo()), FakeServer::new()];
    let (gateway, watcher) = watched(&servers).await;
    let default = context(&gateway, None).await;
    assert_eq!(found(&gateway, &default, "one").await, 1);
    for _ in 0..2 {
        let session = gateway.create_session(&default, NewSession::default()).await.expect("there is room");
        let context = context(&gateway, Some(&session.id)).await;
        assert_eq!(found(&gateway, &context, "one").await, 1);
    }
    assert_eq!(*watcher.seen.lock().expect("nobody panicked"), [(2, false)]);
}

#[tokio::test]
async fn a_server_that_changes_and_changes_costs_its_own_indexing_only() {
    let servers: Vec<_> = (0..20).map(|_| FakeServer::new().with_tool("one", "", Answer::echo())).collect();
    let (gateway, watcher) = watched(&servers).await;
    let context = context(&gateway, None).await;
    assert_eq!(found(&gateway, &context, "one").await, 20);
    for round in 0..5 {
        // Several changes, and a look at the tools, between two searches.
        for step in 0..3 {
            servers[7].add_tool(&format!("round{round} step{step}"), "", Answer::echo());
            servers[7].announce();
            let expected = 20 + round * 3 + step + 1;
            eventually("the new tool is seen", || gateway.tools(&context).len() == expected).await;
        }
        assert_eq!(found(&gateway, &context, &format!("round{round}")).await, 3);
    }
    let seen = watcher.seen.lock().expect("nobody panicked").clone();
    assert_eq!(seen[0], (20, false));
    assert_eq!(seen[1..], [(1, true); 5], "each index is made while the one before lives");
}
