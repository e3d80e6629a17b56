//! Measures the router at 3,000, 10,000 and 40,000 tools on made-up servers: building, rebuilding, ranking, memory.
//!
//! ```text
//! cargo run --release -p router-keyword --example scale
//! ```
//!
//! Times are the processor's, so that a busy machine does not show in them.

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

#[path = "../../benches/rank/corpus.rs"]
mod corpus;

use std::error::Error;
use std::time::Duration;

use gateway_core::{Index, Query, Router};
use router_keyword::KeywordRouter;
use rustix::time::{ClockId, clock_gettime};

use crate::corpus::{Chance, TOOLS_EACH, question, server, servers};

/// Queries and changes measured at each size.
const QUERIES: usize = 5_000;
const CHANGES: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for count in [150, 500, 2_000] {
        println!("{} tools of {count} servers", count * TOOLS_EACH);
        measure(count).await?;
    }
    Ok(())
}

async fn measure(count: usize) -> Result<(), Box<dyn Error>> {
    let (router, mut servers) = (KeywordRouter::default(), servers(count));
    let begun = now();
    let mut index = router.index(&servers).await?;
    println!("  {:<22} {:>9.1?}", "build", now() - begun);
    println!("  {index:?}");
    let mut chance = Chance::new(7);
    for what in ["one changed", "one added", "one removed"] {
        let mut took = Vec::with_capacity(CHANGES);
        for edition in 1..=CHANGES {
            let place = chance.below(servers.len());
            match what {
                "one changed" => servers[place] = server(place, edition as u64),
                "one added" => servers.insert(place, server(count + edition, 0)),
                _ => drop(servers.remove(place)),
            }
            let begun = now();
            index = router.index(&servers).await?;
            took.push(now() - begun);
        }
        print(what, &mut took);
    }
    for words in [3, 8, 15, 40] {
        let mut took = Vec::with_capacity(QUERIES);
        for seed in 0..QUERIES as u64 {
            let text = question(seed, words);
            took.push(rank(&*index, &text).await?);
        }
        print(&format!("rank {words} words"), &mut took);
    }
    Ok(())
}

async fn rank(index: &dyn Index, text: &str) -> Result<Duration, Box<dyn Error>> {
    let query = Query { text, limit: 10, min_score: 0.0, visible: &|_| true };
    let begun = now();
    index.rank(&query).await?;
    Ok(now() - begun)
}

fn print(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("  {what:<22} {:>9.1?} p50 {:>9.1?} p99 {:>9.1?} worst", at(0.5), at(0.99), at(1.0));
}

/// How long this thread has worked.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
