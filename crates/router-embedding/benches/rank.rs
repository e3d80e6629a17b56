//! How fast tools are embedded and searched: `cargo bench -p router-embedding`.

use std::sync::Arc;

use divan::{Bencher, black_box};
use gateway_core::{Index, Query, RawJson, Router, ServerTools};
use router_embedding::EmbeddingRouter;
use tokio::runtime::{Builder, Runtime};

const QUERIES: [(&str, &str); 3] = [
    ("3 words", "create github issue"),
    ("8 words", "send a message to the team about the invoice"),
    (
        "30 words",
        "I need to find all open pull requests of the payment repository that nobody has reviewed for a week, \
         post a summary of them to the engineering channel and create a calendar event",
    ),
];

const VERBS: [&str; 16] = [
    "get", "list", "create", "update", "delete", "search", "send", "run", "export", "import", "merge", "archive",
    "assign", "publish", "validate", "restore",
];
const NOUNS: [&str; 24] = [
    "user",
    "issue",
    "pull_request",
    "repository",
    "message",
    "channel",
    "invoice",
    "payment",
    "customer",
    "event",
    "calendar",
    "file",
    "folder",
    "document",
    "table",
    "cluster",
    "deployment",
    "secret",
    "alert",
    "dashboard",
    "queue",
    "video",
    "ticket",
    "report",
];

fn main() {
    divan::main();
}

#[divan::bench(args = QUERIES.map(|(name, _)| name))]
fn rank_3_000_tools(bencher: Bencher<'_, '_>, query: &str) {
    rank(bencher, 3_000, query);
}

#[divan::bench(args = QUERIES.map(|(name, _)| name))]
fn rank_40_000_tools(bencher: Bencher<'_, '_>, query: &str) {
    rank(bencher, 40_000, query);
}

#[divan::bench(sample_count = 10)]
fn build_3_000_tools(bencher: Bencher<'_, '_>) {
    let (runtime, servers) = (runtime(), servers(3_000));
    let router = EmbeddingRouter::default();
    bencher.bench_local(|| runtime.block_on(router.index(&servers)).is_ok());
}

#[divan::bench(sample_count = 10)]
fn load_the_model(bencher: Bencher<'_, '_>) {
    bencher.bench_local(EmbeddingRouter::default);
}

fn rank(bencher: Bencher<'_, '_>, tools: usize, query: &str) {
    let text = QUERIES.iter().find(|(name, _)| *name == query).map_or("", |(_, text)| text);
    let (runtime, servers) = (runtime(), servers(tools));
    let index: Arc<dyn Index> = runtime.block_on(EmbeddingRouter::default().index(&servers)).expect("no service");
    let query = Query { text, limit: 5, min_score: 0.0, visible: &|_| true };
    bencher.bench_local(|| runtime.block_on(index.rank(black_box(&query))).map(|ranking| ranking.matches.len()));
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without drivers always starts")
}

/// Servers of twenty tools each.
fn servers(tools: usize) -> Vec<Arc<ServerTools>> {
    let server = |place: usize| {
        let declared = (place * 20..(place + 1) * 20).map(tool).collect();
        Arc::new(ServerTools::new(format!("{}-hub-{place}", NOUNS[place % NOUNS.len()]), "", declared))
    };
    (0..tools / 20).map(server).collect()
}

fn tool(seed: usize) -> RawJson {
    let (verb, noun) = (VERBS[seed % VERBS.len()], NOUNS[seed / VERBS.len() % NOUNS.len()]);
    let other = NOUNS[seed * 7 % NOUNS.len()];
    let declared = serde_json::json!({
        "name": format!("{verb}_{noun}_{seed}"),
        "description": format!(
            "{verb} the {noun} of a {other} with the given identifier; returns its details and the date of its last \
             change, sorted by owner."
        ),
        "inputSchema": { "type": "object", "properties": { (noun): {}, (other): {}, "workspaceId": {} } },
    });
    RawJson::from_value(&declared).expect("it has string keys only")
}
