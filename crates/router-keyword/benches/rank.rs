//! How fast ten thousand tools are indexed and ranked: `cargo bench -p router-keyword`.

use std::sync::Arc;

use divan::{Bencher, black_box};
use gateway_core::{Index, Query, RawJson, Router, ServerTools};
use router_keyword::KeywordRouter;
use tokio::runtime::{Builder, Runtime};

const TOOLS: usize = 10_000;

/// Queries as agents write them, and what is worst.
const QUERIES: [(&str, &str); 5] = [
    ("3 words", "create github issue"),
    ("8 words", "send a message to the team about the invoice"),
    (
        "30 words",
        "I need to find all open pull requests of the payment repository that nobody has reviewed for a week, \
         post a summary of them to the engineering channel and create a calendar event",
    ),
    ("common words", "get list create update delete search the id name of a user with value type by query limit"),
    ("unknown words", "xyzzy plugh frobnicate quuxify"),
];

const VERBS: [&str; 16] = [
    "get", "list", "create", "update", "delete", "search", "send", "run", "export", "import", "merge", "archive",
    "assign", "publish", "validate", "restore",
];
const NOUNS: [&str; 40] = [
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
    "page",
    "table",
    "record",
    "query",
    "index",
    "cluster",
    "deployment",
    "pod",
    "secret",
    "key",
    "certificate",
    "alert",
    "metric",
    "dashboard",
    "log",
    "job",
    "queue",
    "image",
    "video",
    "playlist",
    "track",
    "order",
    "product",
    "ticket",
    "contact",
    "report",
];
const WORDS: [&str; 48] = [
    "returns",
    "details",
    "specified",
    "given",
    "matching",
    "filter",
    "optional",
    "default",
    "unique",
    "identifier",
    "workspace",
    "account",
    "project",
    "team",
    "status",
    "date",
    "range",
    "format",
    "results",
    "page",
    "limit",
    "offset",
    "sorted",
    "archived",
    "active",
    "permission",
    "owner",
    "label",
    "comment",
    "review",
    "summary",
    "week",
    "branch",
    "version",
    "region",
    "namespace",
    "resource",
    "configuration",
    "token",
    "webhook",
    "template",
    "field",
    "value",
    "type",
    "name",
    "email",
    "address",
    "content",
];

fn main() {
    divan::main();
}

#[divan::bench(args = QUERIES.map(|(name, _)| name))]
fn rank_one_server(bencher: Bencher<'_, '_>, query: &str) {
    rank(bencher, &servers(1), text(query));
}

#[divan::bench(args = QUERIES.map(|(name, _)| name))]
fn rank_500_servers(bencher: Bencher<'_, '_>, query: &str) {
    rank(bencher, &servers(500), text(query));
}

#[divan::bench]
fn rank_100_kilobytes(bencher: Bencher<'_, '_>) {
    let long: Vec<String> = (0..16_000).map(|word| format!("{}{}", WORDS[word % 48], word / 300)).collect();
    rank(bencher, &servers(500), &long.join(" "));
}

#[divan::bench(args = [1, 500], sample_count = 10)]
fn build(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, servers) = (runtime(), servers(count));
    bencher.bench_local(|| runtime.block_on(KeywordRouter::default().index(&servers)).is_ok());
}

#[divan::bench(sample_count = 20)]
fn rebuild_with_one_of_500_changed(bencher: Bencher<'_, '_>) {
    let (runtime, mut servers, router) = (runtime(), servers(500), KeywordRouter::default());
    let _kept = runtime.block_on(router.index(&servers));
    let mut change = TOOLS;
    bencher.bench_local(|| {
        change += 20;
        servers[250] = server(250, change..change + 20);
        runtime.block_on(router.index(&servers)).is_ok()
    });
}

fn rank(bencher: Bencher<'_, '_>, servers: &[Arc<ServerTools>], text: &str) {
    let runtime = runtime();
    let index: Arc<dyn Index> = runtime.block_on(KeywordRouter::default().index(servers)).expect("it needs no service");
    let query = Query { text, limit: 5, min_score: 0.0, visible: &|_| true };
    bencher.bench_local(|| runtime.block_on(index.rank(black_box(&query))).map(|ranking| ranking.matches.len()));
}

fn text(name: &str) -> &'static str {
    QUERIES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without drivers always starts")
}

fn servers(count: usize) -> Vec<Arc<ServerTools>> {
    let each = TOOLS / count;
    (0..count).map(|place| server(place, place * each..(place + 1) * each)).collect()
}

fn server(place: usize, tools: std::ops::Range<usize>) -> Arc<ServerTools> {
    let subject = NOUNS[place % NOUNS.len()];
    let about = format!("Tools to work with every {subject} of your workspace, and its settings.");
    Arc::new(ServerTools::new(format!("{subject}-hub-{place}"), about, tools.map(tool).collect()))
}

/// A tool as servers declare them: three words of name, fifteen of description, four parameters.
fn tool(seed: usize) -> RawJson {
    let verb = VERBS[seed % VERBS.len()];
    let noun = NOUNS[seed / VERBS.len() % NOUNS.len()];
    let mut state = seed as u64 + 1;
    let mut pick = |from: &[&'static str]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(state >> 33) as usize % from.len()]
    };
    let description: Vec<&str> = (0..12).map(|_| pick(&WORDS)).collect();
    let mut properties = serde_json::Map::new();
    for _ in 0..4 {
        let name = format!("{}_{}", pick(&NOUNS), pick(&WORDS));
        let text = format!("The {} {} of the {}", pick(&WORDS), pick(&WORDS), pick(&NOUNS));
        properties.insert(name, serde_json::json!({ "type": "string", "description": text }));
    }
    let declared = serde_json::json!({
        "name": format!("{verb}_{noun}_{seed}"),
        "description": format!("{verb} the {noun}: {}", description.join(" ")),
        "inputSchema": { "type": "object", "properties": properties },
    });
    RawJson::from_value(&declared).expect("it has string keys only")
}
