//! What learning from use is worth, and whether it does harm.
//!
//! Each set is halved by the hash of its requests, several times. The requests of the first half are asked one after
//! another, and right tools among the first ten are used, as the engine would tell of it. Then nDCG@10 of the second half
//! is compared with what the router inside gives alone.

use std::io::Write;
use std::sync::Arc;

use gateway_core::{Index, Router, ToolRef};
use router_learned::{LearnedRouter, Memory, MemoryConfig};

use crate::data::{Data, Request, Set};
use crate::error::Result;
use crate::measure::{ask, index};
use crate::quality::judge;
use crate::users::{Habit, User, is_in_first_half};

/// How many times each set is halved.
const HALVINGS: u64 = 8;

/// How a set is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The first half is used twice, and is itself what is measured.
    Again,
    /// The first half is used, and the second one measured.
    Used,
    /// The same, but every fifth use is of a wrong tool among the first five.
    OftenWrong,
    /// One memory has heard of all sets' uses.
    Together,
    /// Instead of the first half requests of the next set, each with a tool among the first five.
    Unrelated,
}

impl Way {
    const ALL: [Self; 5] = [Self::Again, Self::Used, Self::OftenWrong, Self::Together, Self::Unrelated];

    fn label(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Used => "used",
            Self::OftenWrong => "20 % wrong",
            Self::Together => "together",
            Self::Unrelated => "unrelated",
        }
    }

    fn habit(self, seed: u64) -> Habit {
        match self {
            Self::Again | Self::Used | Self::Together => Habit::Right,
            Self::OftenWrong => Habit::OftenWrong { seed },
            Self::Unrelated => Habit::AnyOfFive { seed },
        }
    }
}

/// Replays all sets of `data` round the router `inner`, which is called `name`, and writes a table for each way.
///
/// # Errors
/// Where the router fails or the tables cannot be written.
pub(crate) async fn replay(name: &str, inner: &Arc<dyn Router>, data: &Data, out: &mut dyn Write) -> Result<()> {
    let replay = Replay::new(name, inner, data).await?;
    writeln!(out, "{name}: nDCG@10 alone, and how learning changes it: mean, [worst halving], requests better/worse")?;
    for way in Way::ALL {
        writeln!(out, "{}", way.label())?;
        for (place, set) in data.sets.iter().enumerate() {
            let outcome = replay.outcome(place, way).await?;
            outcome.write(&set.name, out)?;
            out.flush()?;
        }
    }
    Ok(())
}

struct Replay<'a> {
    name: &'a str,
    inner: &'a Arc<dyn Router>,
    data: &'a Data,
    /// The index of the router inside over each catalogue. They live on, so that a second one costs little.
    alone: Vec<Arc<dyn Index>>,
}

/// What came of one way to use a set, summed over halvings.
#[derive(Debug, Default)]
struct Outcome {
    requests: usize,
    alone: f64,
    learned: f64,
    better: usize,
    worse: usize,
    /// The worst difference of a halving, in points of 100.
    worst: f64,
}

impl<'a> Replay<'a> {
    async fn new(name: &'a str, inner: &'a Arc<dyn Router>, data: &'a Data) -> Result<Self> {
        let mut alone = Vec::with_capacity(data.catalogues.len());
        for catalogue in &data.catalogues {
            alone.push(index(name, &**inner, catalogue).await?);
        }
        Ok(Self { name, inner, data, alone })
    }

    async fn outcome(&self, place: usize, way: Way) -> Result<Outcome> {
        let set = &self.data.sets[place];
        let mut outcome = Outcome::default();
        for seed in 0..HALVINGS {
            let memory = Arc::new(Memory::new(MemoryConfig::default()));
            let router = LearnedRouter::new(Arc::clone(self.inner), Arc::clone(&memory));
            self.use_sets(place, way, seed, &router, &memory).await?;
            let learned = index(self.name, &router, self.data.catalogue(set)).await?;
            let before = (outcome.requests, outcome.learned - outcome.alone);
            for request in set.requests.iter().filter(|one| is_in_first_half(one, seed) == (way == Way::Again)) {
                let alone = self.quality(request, &*self.alone[set.catalogue]).await?;
                outcome.add(alone, self.quality(request, &*learned).await?);
            }
            let measured = (outcome.requests - before.0).max(1) as f64;
            outcome.worst = outcome.worst.min((outcome.learned - outcome.alone - before.1) / measured * 100.0);
        }
        Ok(outcome)
    }

    /// Lets `memory` hear of the uses that come before the set at `place` is measured.
    async fn use_sets(&self, place: usize, way: Way, seed: u64, router: &dyn Router, memory: &Memory) -> Result<()> {
        let sets = &self.data.sets;
        let used: Vec<&Set> = match way {
            Way::Again | Way::Used | Way::OftenWrong => vec![&sets[place]],
            Way::Together => sets.iter().collect(),
            Way::Unrelated => vec![&sets[(place + 1) % sets.len()]],
        };
        for asked in used {
            // Where they are unrelated: requests of one set, tools of another.
            let searched = if way == Way::Unrelated { &sets[place] } else { asked };
            let catalogue = self.data.catalogue(searched);
            let index = index(self.name, router, catalogue).await?;
            let user = User { router: self.name, catalogue, index: &*index, memory, habit: way.habit(seed) };
            for _ in 0..if way == Way::Again { 2 } else { 1 } {
                for request in asked.requests.iter().filter(|request| is_in_first_half(request, seed)) {
                    user.search_and_use(request).await?;
                }
            }
        }
        Ok(())
    }

    async fn quality(&self, request: &Request, index: &dyn Index) -> Result<f64> {
        let answer = ask(self.name, index, &request.text).await?;
        let tools: Vec<ToolRef> = answer.iter().map(|(tool, _)| *tool).collect();
        Ok(judge(request, &tools).ndcg_at_10)
    }
}

impl Outcome {
    fn add(&mut self, alone: f64, learned: f64) {
        self.requests += 1;
        self.alone += alone;
        self.learned += learned;
        self.better += usize::from(learned > alone + 1e-9);
        self.worse += usize::from(learned < alone - 1e-9);
    }

    fn write(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        let mean = |sum: f64| sum / self.requests.max(1) as f64 * 100.0;
        let (alone, change) = (mean(self.alone), mean(self.learned - self.alone));
        let Self { worst, better, worse, .. } = self;
        writeln!(out, "  {name:<14} {alone:>5.1} {change:>+6.2} [{worst:>+5.2}] {better:>4}/{worse}")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::registry::{self, Settings};

    /// The sample replayed round the plainest router.
    async fn outcome(way: Way) -> Outcome {
        let data = Data::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample")).unwrap();
        let entry = registry::find("bm25").unwrap();
        let router = (entry.make)(&Settings::default()).unwrap();
        Replay::new(entry.name, &router, &data).await.unwrap().outcome(0, way).await.unwrap()
    }

    #[tokio::test]
    async fn requests_that_come_again_are_answered_better() {
        let again = outcome(Way::Again).await;
        assert!(again.better > 10 * again.worse && again.learned > again.alone + 1.0, "{again:?}");
    }

    #[tokio::test]
    async fn halves_make_a_whole() {
        let (again, used) = (outcome(Way::Again).await, outcome(Way::Used).await);
        let data = Data::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample")).unwrap();
        assert_eq!(again.requests + used.requests, data.sets[0].requests.len() * HALVINGS as usize);
        assert!(again.requests.abs_diff(used.requests) < again.requests / 3, "{again:?} {used:?}");
    }
}
