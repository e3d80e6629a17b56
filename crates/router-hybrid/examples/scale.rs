//! Measures words and meaning together at 3,000 and 40,000 tools on made-up servers, half and ninety-nine of a hundred
//! queries: ranking alone, and with the reasons of the first five read.
//!
//! ```text
//! cargo run --release -p router-hybrid --example scale
//! ```
//!
//! Times are the processor's, so that a busy machine does not show in them.

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

#[path = "../../router-keyword/benches/rank/corpus.rs"]
mod corpus;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Query, Router};
use router_embedding::EmbeddingRouter;
use router_hybrid::{HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};
use rustix::time::{ClockId, clock_gettime};

/// Queries measured at each size.
const QUERIES: usize = 1_000;

/// How many reasons callers read.
const READ: usize = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for count in [150, 2_000] {
        println!("{} tools of {count} servers", count * corpus::TOOLS_EACH);
        measure(count).await?;
    }
    Ok(())
}

async fn measure(count: usize) -> Result<(), Box<dyn Error>> {
    let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
    let meaning = EmbeddingRouter::default().with_floor(0.0);
    let router = HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning))]);
    let servers = corpus::servers(count);
    let begun = now();
    let index = router.index(&servers).await?;
    println!("  {:<14} {:>9.1?}", "build", now() - begun);
    for words in [3, 8, 30] {
        let (mut ranked, mut read) = (Vec::with_capacity(QUERIES), Vec::with_capacity(QUERIES));
        for seed in 0..QUERIES as u64 {
            let text = corpus::question(seed, words);
            let begun = now();
            let found = index.rank(&Query { text: &text, limit: 10, min_score: 0.0, visible: &|_| true }).await?;
            ranked.push(now() - begun);
            let length: usize = found.matches.iter().take(READ).map(|found| found.reasoning.len()).sum();
            std::hint::black_box(length);
            read.push(now() - begun);
        }
        print(&format!("rank {words} words"), &mut ranked);
        print("  and reasons", &mut read);
    }
    Ok(())
}

fn print(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("  {what:<14} {:>9.1?} p50 {:>9.1?} p99 {:>9.1?} worst", at(0.5), at(0.99), at(1.0));
}

/// How long this thread has worked.
fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
