//! Measures how well the keyword router finds tools, on sets of queries of which the right tools are known.
//!
//! ```text
//! ROUTING_DATA=path/to/sets cargo run --release -p router-keyword --example quality
//! ```
//!
//! `ROUTING_DATA` is a folder with one folder per set: `queries.jsonl.gz` (`{"query", "gold": [tool id],
//! "alternatives"?: {gold id: [tool id]}}`) and `corpus.jsonl.gz` (`{"id", "server", "name", "description",
//! "input_schema", "server_description"?}`), or in its place a file `CORPUS` with the relative path of one.

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

mod data;
mod measure;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use gateway_core::{Index, Query, Router};
use router_keyword::KeywordRouter;

use crate::data::Set;
use crate::measure::{Quality, first_is_right, judge};

/// Queries that no tool answers; a catalogue of everything may still have a love calculator.
const NONSENSE: [&str; 8] = [
    "asdf qwer",
    "the of and",
    "what is love",
    "baby don't hurt me",
    "why is the sky blue",
    "what should I name my cat",
    "do you dream of electric sheep",
    "should I break up with my boyfriend",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(folder) = std::env::var_os("ROUTING_DATA") else {
        eprintln!("ROUTING_DATA is not set: it must name a folder with sets of queries (see the top of this file)");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to measure: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let sets = data::read_sets(folder)?;
    if sets.is_empty() {
        return Err(format!("{} has no sets of queries", folder.display()).into());
    }
    println!(
        "{:<14} {:>7} {:>8} {:>5} {:>5} {:>5}   first is right / wrong / none",
        "set", "queries", "nDCG@10", "R@1", "R@5", "R@10"
    );
    let mut all = Vec::new();
    for set in &sets {
        let index = KeywordRouter::default().index(&set.servers).await?;
        all.push(measure_set(set, &*index).await?);
    }
    print_quality("mean", "", &Quality::mean(&all));
    println!();
    for set in &sets {
        let index = KeywordRouter::default().index(&set.servers).await?;
        print_nonsense(set, &*index).await?;
    }
    Ok(())
}

async fn measure_set(set: &Set, index: &dyn Index) -> Result<Quality, Box<dyn Error>> {
    let answers = measure::answers(set, index).await?;
    let judged = || set.queries.iter().zip(&answers);
    let quality = Quality::mean(&judged().map(|(asked, answer)| judge(asked, answer)).collect::<Vec<_>>());
    print_quality(&set.name, &set.queries.len().to_string(), &quality);
    let scores = |right: bool| {
        let firsts = judged().filter(|(asked, answer)| !answer.is_empty() && first_is_right(asked, answer) == right);
        let scores: Vec<f64> = firsts.map(|(_, answer)| f64::from(answer[0].score)).collect();
        format!("{:.2} ({})", scores.iter().sum::<f64>() / scores.len().max(1) as f64, scores.len())
    };
    let none = answers.iter().filter(|answer| answer.is_empty()).count();
    println!("   {:>12} / {:>11} / ({none})", scores(true), scores(false));
    Ok(quality)
}

fn print_quality(name: &str, queries: &str, quality: &Quality) {
    print!(
        "{name:<14} {queries:>7} {:>8.1} {:>5.1} {:>5.1} {:>5.1}",
        quality.ndcg_at_10 * 100.0,
        quality.recall_at_1 * 100.0,
        quality.recall_at_5 * 100.0,
        quality.recall_at_10 * 100.0,
    );
}

async fn print_nonsense(set: &Set, index: &dyn Index) -> Result<(), Box<dyn Error>> {
    let mut answered = Vec::new();
    for text in NONSENSE {
        let query = Query { text, limit: 1, min_score: 0.0, visible: &|_| true };
        if let Some(first) = index.rank(&query).await?.matches.first() {
            let server = &set.servers[first.tool.server as usize];
            let tool = server.tools()[first.tool.tool as usize].name();
            answered.push(format!("{text:?} -> {}/{tool} {:.2}", server.server(), first.score));
        }
    }
    println!(
        "{}: {} of {} nonsense queries answered. {}",
        set.name,
        answered.len(),
        NONSENSE.len(),
        answered.join(", ")
    );
    Ok(())
}
