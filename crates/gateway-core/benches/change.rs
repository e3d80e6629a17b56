//! What a change of one server costs a session with many, and what a search costs beside the router's ranking:
//! `cargo bench -p gateway-core`.

use std::sync::Arc;

use async_trait::async_trait;
use divan::Bencher;
use gateway_core::{
    Context, EngineConfig, Gateway, GatewayBuilder, Index, Query, Ranking, Result, Router, SearchRequest,
    ServerSelector, ServerTools,
};
use gateway_testkit::fakes::{Answer, FakeAuth, FakeServer, FakeStore, FakeTransport, context, spec};
use tokio::runtime::{Builder, Runtime};

/// How many servers there are, of twenty tools each.
const SERVERS: [usize; 3] = [150, 500, 2_000];

fn main() {
    divan::main();
}

/// A router that finds nothing at once.
#[derive(Debug)]
struct NoRouter;

#[async_trait]
impl Router for NoRouter {
    fn name(&self) -> &str {
        "none"
    }

    async fn index(&self, _servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        Ok(Arc::new(Self))
    }
}

#[async_trait]
impl Index for NoRouter {
    async fn rank(&self, _query: &Query<'_>) -> Result<Ranking> {
        Ok(Ranking::default())
    }
}

/// Adds a server and removes it again, and looks a tool up after each: what the engine makes anew is made twice.
#[divan::bench(args = SERVERS, sample_count = 20, sample_size = 1)]
fn add_and_remove_one(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, gateway, context) = start(count);
    bencher.bench_local(|| {
        runtime.block_on(async {
            gateway.add_servers(&context, vec![spec("one-more")]).await.expect("it can be connected");
            assert!(gateway.tool(&context, "one-more__get_thing_1").is_some());
            gateway.remove_server(&context, ServerSelector::Name("one-more".to_owned())).await.expect("it is there");
            assert!(gateway.tool(&context, "one-more__get_thing_1").is_none());
        });
    });
}

/// A search whose ranking costs nothing.
#[divan::bench(args = SERVERS)]
fn search(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, gateway, context) = start(count);
    let request = || SearchRequest { query: "a thing".to_owned(), limit: 10, min_score: 0.0, servers: None };
    bencher.bench_local(|| runtime.block_on(gateway.search(&context, request())).is_ok());
}

/// A search among all servers but one, each of them named.
#[divan::bench(args = SERVERS)]
fn search_in_named_servers(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, gateway, context) = start(count);
    let servers: Vec<_> = (1..count).map(name).collect();
    let request =
        || SearchRequest { query: "a thing".to_owned(), limit: 10, min_score: 0.0, servers: Some(servers.clone()) };
    bencher.bench_local(|| runtime.block_on(gateway.search(&context, request())).is_ok());
}

/// Finds the tool that a call means.
#[divan::bench(args = SERVERS)]
fn tool(bencher: Bencher<'_, '_>, count: usize) {
    let (_runtime, gateway, context) = start(count);
    let wanted = format!("{}__get_thing_7", name(count / 2));
    bencher.bench_local(|| gateway.tool(&context, &wanted).is_some());
}

/// A gateway with so many servers, whose tools are known and whose index is there.
fn start(count: usize) -> (Runtime, Gateway, Context) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let (gateway, context) = runtime.block_on(async {
        let server = (0..20)
            .fold(FakeServer::new(), |all, tool| all.with_tool(&format!("get_thing_{tool}"), "", Answer::echo()));
        let transport = (0..count).map(name).chain(["one-more".to_owned()]);
        let transport = transport.fold(FakeTransport::new(), |all, name| all.with_server(&name, &server));
        let config = EngineConfig { max_servers_per_session: count + 1, ..EngineConfig::default() };
        let gateway = GatewayBuilder::new(Arc::new(NoRouter), FakeStore::shared(), Arc::new(FakeAuth::open()))
            .with_transport(Arc::new(transport))
            .with_config(config)
            .with_servers((0..count).map(|place| spec(&name(place))).collect())
            .start()
            .await
            .expect("names are unique");
        gateway.settled().await;
        let context = context(&gateway, None).await;
        assert_eq!(gateway.tools(&context).len(), count * 20);
        (gateway, context)
    });
    (runtime, gateway, context)
}

fn name(place: usize) -> String {
    format!("server-{place}")
}
