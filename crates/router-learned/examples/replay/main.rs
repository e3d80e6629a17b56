//! Measures what learning from use is worth, and whether it does harm, by replaying sets of queries of which the right
//! tools are known.
//!
//! ```text
//! ROUTING_DATA=path/to/sets cargo run --release -p router-learned --example replay
//! ```
//!
//! `ROUTING_DATA` is as for the example `quality` of `router-keyword`. Each set is halved by the hash of its queries,
//! several times. The queries of the first half are searched for one after another, and each right tool among the
//! first ten is used, as the engine would tell it. Then nDCG@10 of the second half is compared with what the router
//! inside gives alone. Five ways:
//!
//! * `again`: the first half is used twice, and is itself what is measured;
//! * `used`: as said;
//! * `20 % wrong`: every fifth use is of a wrong tool among the first five;
//! * `together`: one memory has heard of all sets' uses;
//! * `unrelated`: instead of the first half, queries of the next set, each with a tool among the first five.

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

#[path = "../../../router-keyword/examples/quality/data.rs"]
mod data;
#[path = "../../../router-keyword/examples/quality/measure.rs"]
#[expect(dead_code, reason = "it measures more than is asked here")]
mod measure;
mod users;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use gateway_core::{Index, Query, Router};
use router_keyword::KeywordRouter;
use router_learned::{LearnedRouter, Memory, MemoryConfig};

use crate::data::{Asked, Set};
use crate::measure::judge;
use crate::users::{Habit, is_in_first_half, search_and_use};

/// How many times each set is halved.
const HALVINGS: u64 = 8;

/// What came of one way to use a set, summed over halvings.
#[derive(Default)]
struct Outcome {
    queries: usize,
    alone: f64,
    learned: f64,
    better: usize,
    worse: usize,
    /// The worst difference of a halving, in points of 100.
    worst: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(folder) = std::env::var_os("ROUTING_DATA") else {
        eprintln!("ROUTING_DATA is not set: it must name a folder with sets of queries (see the top of this file)");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to replay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let sets = data::read_sets(folder)?;
    println!("nDCG@10 alone, and how learning changes it: mean, [worst halving], queries better/worse");
    for way in ["again", "used", "20 % wrong", "together", "unrelated"] {
        println!("{way}");
        for place in 0..sets.len() {
            let mut outcome = Outcome::default();
            for seed in 0..HALVINGS {
                replay(&sets, place, way, seed, &mut outcome).await?;
            }
            print_outcome(&sets[place].name, &outcome);
        }
    }
    Ok(())
}

async fn replay(sets: &[Set], place: usize, way: &str, seed: u64, outcome: &mut Outcome) -> gateway_core::Result<()> {
    let set = &sets[place];
    let memory = Arc::new(Memory::new(MemoryConfig::default()));
    // Its segments are shared: a second index costs little.
    let inner: Arc<dyn Router> = Arc::new(KeywordRouter::default());
    let router = LearnedRouter::new(Arc::clone(&inner), Arc::clone(&memory));
    let alone = inner.index(&set.servers).await?;
    let index = router.index(&set.servers).await?;
    let first_half = |set: &Set| -> Vec<usize> {
        (0..set.queries.len()).filter(|query| is_in_first_half(&set.queries[*query], seed)).collect()
    };
    let (used, habit) = match way {
        "20 % wrong" => (vec![place], Habit::OftenWrong { seed }),
        "together" => ((0..sets.len()).collect(), Habit::Right),
        "unrelated" => (vec![(place + 1) % sets.len()], Habit::AnyOfFive { seed }),
        _ => (vec![place], Habit::Right),
    };
    for other in used {
        let elsewhere;
        let searched = match habit {
            // Queries of one set, tools of another.
            Habit::AnyOfFive { .. } => set,
            _ => &sets[other],
        };
        let index: &dyn Index = if std::ptr::eq(searched, set) {
            &*index
        } else {
            elsewhere = router.index(&searched.servers).await?;
            &*elsewhere
        };
        for _ in 0..if way == "again" { 2 } else { 1 } {
            for query in first_half(&sets[other]) {
                search_and_use(&sets[other].queries[query], searched, index, &memory, habit).await?;
            }
        }
    }
    let before = (outcome.queries, outcome.learned - outcome.alone);
    for asked in set.queries.iter().filter(|asked| is_in_first_half(asked, seed) == (way == "again")) {
        let (without, with) = (quality(asked, &*alone).await?, quality(asked, &*index).await?);
        outcome.queries += 1;
        outcome.alone += without;
        outcome.learned += with;
        outcome.better += usize::from(with > without + 1e-9);
        outcome.worse += usize::from(with < without - 1e-9);
    }
    let measured = (outcome.queries - before.0).max(1) as f64;
    outcome.worst = outcome.worst.min((outcome.learned - outcome.alone - before.1) / measured * 100.0);
    Ok(())
}

async fn quality(asked: &Asked, index: &dyn Index) -> gateway_core::Result<f64> {
    let query = Query { text: &asked.text, limit: 10, min_score: 0.0, visible: &|_| true };
    Ok(judge(asked, &index.rank(&query).await?.matches).ndcg_at_10)
}

fn print_outcome(name: &str, outcome: &Outcome) {
    let mean = |sum: f64| sum / outcome.queries.max(1) as f64 * 100.0;
    println!(
        "  {name:<14} {:>5.1} {:>+6.2} [{:>+5.2}] {:>4}/{}",
        mean(outcome.alone),
        mean(outcome.learned - outcome.alone),
        outcome.worst,
        outcome.better,
        outcome.worse
    );
}
