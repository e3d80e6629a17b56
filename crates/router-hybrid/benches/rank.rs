//! How fast words and meaning are asked and fused: `cargo bench -p router-hybrid`.

#[expect(dead_code, reason = "the queries are written out here")]
#[path = "../../router-keyword/benches/rank/corpus.rs"]
mod corpus;

use std::sync::Arc;

use divan::{Bencher, black_box};
use gateway_core::{Index, Query, Router};
use router_embedding::EmbeddingRouter;
use router_hybrid::{HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};
use tokio::runtime::{Builder, Runtime};

/// How many servers there are, of twenty tools each.
const SERVERS: [usize; 2] = [150, 2_000];

/// Queries as agents write them.
const QUERIES: [(&str, &str); 3] = [
    ("3 words", "create github issue"),
    ("8 words", "send a message to the team about the invoice"),
    (
        "30 words",
        "I need to find all open pull requests of the payment repository that nobody has reviewed for a week, \
         post a summary of them to the engineering channel and create a calendar event",
    ),
];

fn main() {
    divan::main();
}

#[divan::bench(args = QUERIES.map(|(name, _)| name), consts = SERVERS, sample_count = 1_000)]
fn rank<const COUNT: usize>(bencher: Bencher<'_, '_>, query: &str) {
    let text = QUERIES.iter().find(|(name, _)| *name == query).map_or("", |(_, text)| text);
    let (runtime, router) = (runtime(), hybrid());
    let index: Arc<dyn Index> = runtime.block_on(router.index(&corpus::servers(COUNT))).expect("it needs no service");
    let query = Query { text, limit: 5, min_score: 0.0, visible: &|_| true };
    bencher.bench_local(|| runtime.block_on(index.rank(black_box(&query))).map(|ranking| ranking.matches.len()));
}

#[divan::bench(args = SERVERS, sample_count = 5)]
fn build(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, servers) = (runtime(), corpus::servers(count));
    bencher.with_inputs(hybrid).bench_local_values(|router| runtime.block_on(router.index(&servers)).is_ok());
}

fn hybrid() -> HybridRouter {
    let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
    let meaning = EmbeddingRouter::default().with_floor(0.0);
    HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning))])
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime without drivers always starts")
}
