//! How fast up to forty thousand tools are indexed and ranked: `cargo bench -p router-keyword`.

mod corpus;

use std::sync::Arc;

use divan::{Bencher, black_box};
use gateway_core::{Index, Query, Router, ServerTools};
use router_keyword::KeywordRouter;
use tokio::runtime::{Builder, Runtime};

use corpus::{server, servers};

/// How many servers there are, of twenty tools each.
const SERVERS: [usize; 3] = [150, 500, 2_000];

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

fn main() {
    divan::main();
}

#[divan::bench(args = QUERIES.map(|(name, _)| name), consts = SERVERS)]
fn rank_query<const COUNT: usize>(bencher: Bencher<'_, '_>, query: &str) {
    rank(bencher, &servers(COUNT), text(query));
}

#[divan::bench(args = SERVERS)]
fn rank_100_kilobytes(bencher: Bencher<'_, '_>, count: usize) {
    let long: Vec<String> = (0..400).map(|seed| corpus::question(seed, 40)).collect();
    rank(bencher, &servers(count), &long.join(" "));
}

#[divan::bench(args = SERVERS, sample_count = 10)]
fn build(bencher: Bencher<'_, '_>, count: usize) {
    let (runtime, servers) = (runtime(), servers(count));
    bencher.bench_local(|| runtime.block_on(KeywordRouter::default().index(&servers)).is_ok());
}

#[divan::bench(args = SERVERS)]
fn rebuild_with_one_changed(bencher: Bencher<'_, '_>, count: usize) {
    rebuild(bencher, count, |servers, place, edition| servers[place] = server(place, edition));
}

#[divan::bench(args = SERVERS)]
fn rebuild_with_one_added(bencher: Bencher<'_, '_>, count: usize) {
    rebuild(bencher, count, |servers, place, edition| servers.insert(place, server(count + place, edition)));
}

#[divan::bench(args = SERVERS)]
fn rebuild_with_one_removed(bencher: Bencher<'_, '_>, count: usize) {
    rebuild(bencher, count, |servers, place, _| drop(servers.remove(place)));
}

/// Each time with another change of the same servers, of which an index is in use.
fn rebuild(bencher: Bencher<'_, '_>, count: usize, change: impl Fn(&mut Vec<Arc<ServerTools>>, usize, u64)) {
    let (runtime, servers, router) = (runtime(), servers(count), KeywordRouter::default());
    let kept = runtime.block_on(router.index(&servers));
    let mut edition = 0;
    bencher
        .with_inputs(|| {
            edition += 1;
            let mut changed = servers.clone();
            change(&mut changed, edition as usize * 7919 % count, edition);
            changed
        })
        .bench_local_values(|changed| runtime.block_on(router.index(&changed)).map(|index| (index, changed)));
    drop(kept);
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
