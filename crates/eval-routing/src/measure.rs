//! Asks a router every request of a set, one after another, through the public contract.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{Index, Match, Query, Router, ToolRef};

use crate::calibration::First;
use crate::data::{Catalogue, Request, Set};
use crate::error::{Error, Result};
use crate::quality::{DEPTH, Quality, judge};

/// Requests asked before the clock runs, so that the first ones do not pay for cold caches.
const WARM_UP: usize = 8;
/// How often a request is asked at most. Its fastest answer counts: the others were held up by other programs.
const REPEATS: usize = 3;
/// A request is not asked again where that would cost more than this.
const PATIENCE: Duration = Duration::from_millis(20);

/// Tells how many bytes are allocated.
#[derive(Clone, Copy, Debug)]
pub struct Memory(fn() -> usize);

/// An index with what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) index: Arc<dyn Index>,
    time: Duration,
    bytes: usize,
}

/// What one router did on one set.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The set's name.
    pub set: String,
    /// The router's name in the registry.
    pub router: &'static str,
    /// How many requests the set has.
    pub requests: usize,
    /// How many tools there are to find among.
    pub tools: usize,
    /// The mean over the requests.
    pub quality: Quality,
    /// How long it took.
    pub timing: Timing,
    /// What the index holds in memory, in MB of a million bytes: the allocations that making it left behind. Files
    /// that are mapped into memory do not count.
    pub memory_mb: f64,
    /// The first answers to the requests.
    pub firsts: Vec<First>,
    /// How many requests it was asked that no tool answers.
    pub irrelevant: usize,
    /// How many of those it answered.
    pub irrelevant_answered: usize,
}

/// How long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// The median time of an answer, in microseconds.
    pub p50_us: f64,
    /// The time within which 99 of 100 answers came, in microseconds.
    pub p99_us: f64,
    /// The time to make the index, in milliseconds.
    pub build_ms: f64,
}

impl Memory {
    /// `allocated` tells how many bytes are allocated at the moment.
    pub fn new(allocated: fn() -> usize) -> Self {
        Self(allocated)
    }
}

/// Makes an index of `router`, called `name`, over `catalogue`.
pub(crate) async fn index(name: &str, router: &dyn Router, catalogue: &Catalogue) -> Result<Arc<dyn Index>> {
    router.index(&catalogue.servers).await.map_err(|source| Error::Router {
        router: name.to_owned(),
        what: format!("index {} tools", catalogue.tools()),
        source,
    })
}

/// The same, and takes down what it cost.
pub(crate) async fn build(name: &str, router: &dyn Router, catalogue: &Catalogue, memory: Memory) -> Result<Built> {
    let (before, start) = ((memory.0)(), Instant::now());
    let index = index(name, router, catalogue).await?;
    let time = start.elapsed();
    Ok(Built { index, time, bytes: (memory.0)().saturating_sub(before) })
}

/// Asks every request of `set`.
///
/// # Errors
/// Where the router fails.
pub async fn measure_set(
    router: &'static str,
    set: &Set,
    catalogue: &Catalogue,
    index: &dyn Index,
) -> Result<Measured> {
    for request in set.requests.iter().take(WARM_UP) {
        ask(router, index, &request.text).await?;
    }
    let mut times = Vec::with_capacity(set.requests.len());
    let mut qualities = Vec::with_capacity(set.requests.len());
    let mut firsts = Vec::with_capacity(set.requests.len());
    for request in &set.requests {
        let (answer, time) = timed(router, index, &request.text).await?;
        times.push(time);
        let tools: Vec<ToolRef> = answer.iter().map(|(tool, _)| *tool).collect();
        qualities.push(judge(request, &tools));
        firsts.push(first(request, &answer));
    }
    times.sort_unstable();
    let timing = Timing { p50_us: percentile(&times, 50), p99_us: percentile(&times, 99), build_ms: 0.0 };
    Ok(Measured {
        set: set.name.clone(),
        router,
        requests: set.requests.len(),
        tools: catalogue.tools(),
        quality: Quality::mean(&qualities),
        timing,
        memory_mb: 0.0,
        firsts,
        irrelevant: 0,
        irrelevant_answered: 0,
    })
}

impl Measured {
    /// With what its index cost.
    pub(crate) fn with_cost_of(mut self, built: &Built) -> Self {
        self.timing.build_ms = built.time.as_secs_f64() * 1e3;
        self.memory_mb = built.bytes as f64 / 1e6;
        self
    }
}

/// An answer, and how long it takes at best.
async fn timed(router: &str, index: &dyn Index, text: &str) -> Result<(Vec<(ToolRef, f32)>, Duration)> {
    let begin = Instant::now();
    let mut answer = ask(router, index, text).await?;
    let mut best = begin.elapsed();
    for _ in 1..REPEATS {
        if begin.elapsed() + best > PATIENCE {
            break;
        }
        let start = Instant::now();
        answer = ask(router, index, text).await?;
        best = best.min(start.elapsed());
    }
    Ok((answer, best))
}

/// The best tools for `text` with their scores: as many as count, whatever their score.
pub(crate) async fn ask(router: &str, index: &dyn Index, text: &str) -> Result<Vec<(ToolRef, f32)>> {
    let query = Query { text, limit: DEPTH, min_score: 0.0, visible: &|_| true };
    let ranking = index.rank(&query).await.map_err(|source| Error::Router {
        router: router.to_owned(),
        what: format!("answer {text:?}"),
        source,
    })?;
    // Callers read every reason, and some routers write it only then, so it is part of the time.
    let read = |found: &Match| {
        black_box(&*found.reasoning);
        (found.tool, found.score)
    };
    Ok(ranking.matches.iter().map(read).collect())
}

fn first(request: &Request, answer: &[(ToolRef, f32)]) -> First {
    match answer.first() {
        None => First::None,
        Some((tool, score)) if request.slots.iter().flatten().any(|right| right == tool) => First::Right(*score),
        Some((_, score)) => First::Wrong(*score),
    }
}

/// The smallest of `sorted` within which `percent` of them lie, in microseconds; 0 where there are none.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(near(percentile(&times, 50), 100.0) && near(percentile(&times, 99), 198.0));
        assert!(near(percentile(&times[..1], 99), 1.0) && near(percentile(&[], 50), 0.0));
    }
}
