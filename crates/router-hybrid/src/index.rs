//! One set of tools, ready to be asked.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use gateway_core::{Index, Match, Query, Ranking, Reasoning, Result, ServerTools, ToolRef, clauses};

use crate::calibrate::Calibration;
use crate::config::HybridConfig;
use crate::fuse::{Candidate, List, fuse};
use crate::part::PartIndex;
use crate::similar::diversify;

/// The index of a [`HybridRouter`](crate::HybridRouter).
pub(crate) struct HybridIndex {
    config: HybridConfig,
    parts: Vec<PartIndex>,
    servers: Box<[Arc<ServerTools>]>,
}

/// What the parts answered.
#[derive(Default)]
struct Answers<'p> {
    /// By the order of the parts.
    found: Vec<(&'p PartIndex, Vec<Match>)>,
    /// The names of those that could not answer.
    missing: Vec<&'p str>,
}

impl<'p> Answers<'p> {
    /// Adds what the same parts found when they were asked otherwise.
    fn add(&mut self, others: Answers<'p>) {
        for (part, matches) in others.found {
            let Some((_, known)) = self.found.iter_mut().find(|(known, _)| std::ptr::eq(*known, part)) else {
                continue;
            };
            let new = |found: &Match| known.iter().all(|known| known.tool != found.tool);
            let new: Vec<Match> = matches.into_iter().filter(new).collect();
            known.extend(new);
            known.sort_by(|one, other| other.score.total_cmp(&one.score));
        }
    }
}

impl HybridIndex {
    pub(crate) fn new(config: HybridConfig, parts: Vec<PartIndex>, servers: &[Arc<ServerTools>]) -> Self {
        Self { config, parts, servers: servers.into() }
    }

    /// Asks all parts for the best tools that may be seen. Where some may not, asks for the best of all, too: what a
    /// tool scores depends on the best one, and must not depend on who asks.
    ///
    /// # Errors
    /// Where none of the parts can answer: the first one's.
    async fn ask(&self, query: &Query<'_>) -> Result<Answers<'_>> {
        let hides = AtomicBool::new(false);
        let visible = |tool| {
            let is_visible = (query.visible)(tool);
            if !is_visible {
                hides.store(true, Ordering::Relaxed);
            }
            is_visible
        };
        let seen = self.ask_once(&Query { visible: &visible, ..*query }).await?;
        if !hides.load(Ordering::Relaxed) {
            return Ok(seen);
        }
        let mut all = self.ask_once(&Query { visible: &|_| true, ..*query }).await?;
        all.add(seen);
        Ok(all)
    }

    async fn ask_once(&self, query: &Query<'_>) -> Result<Answers<'_>> {
        let deep = Query { limit: self.config.depth.max(query.limit.saturating_mul(2)), min_score: 0.0, ..*query };
        let asked = join_all(self.parts.iter().map(|part| part.rank(&deep))).await;
        let mut answers = Answers::default();
        let mut failed = None;
        for (part, answer) in self.parts.iter().zip(asked) {
            match answer {
                Some(Ok(ranking)) => answers.found.push((part, ranking.matches)),
                Some(Err(error)) => {
                    tracing::debug!(router = part.part.name(), %error, "a router that others are fused with failed");
                    answers.missing.push(part.part.name());
                    failed = failed.or(Some(error));
                }
                None => answers.missing.push(part.part.name()),
            }
        }
        match failed {
            Some(error) if answers.found.is_empty() => Err(error),
            _ => Ok(answers),
        }
    }

    fn fuse(&self, query: &Query<'_>, answers: &Answers<'_>) -> Vec<Match> {
        let several = clauses(query.text).len() > 1;
        let weight = |part: &PartIndex| if several { part.part.weight_of_several } else { part.part.weight };
        let all: f32 = answers.found.iter().map(|(part, _)| weight(part)).sum();
        let lists: Vec<List<'_>> = answers
            .found
            .iter()
            .map(|(part, matches)| List { matches, weight: weight(part) / all, fall: part.part.fall })
            .collect();
        let mut candidates = fuse(&lists);
        let Some(best) = candidates.first().copied() else { return Vec::new() };
        let calibration = Calibration::new(best.share, best.evidence, several);
        if calibration.score(best.share) < self.config.abstain_below {
            return Vec::new();
        }
        candidates.retain(|candidate| (query.visible)(candidate.tool));
        diversify(&mut candidates, &self.servers);
        // Not a number counts as no limit.
        let floor = self.config.floor.max(query.min_score);
        let scored = candidates.iter().take(query.limit).map(|found| (found, calibration.score(found.share)));
        scored
            .take_while(|(_, score)| *score >= floor)
            .map(|(Candidate { tool, .. }, score)| Match { tool: *tool, score, reasoning: reasons(*tool, answers) })
            .collect()
    }
}

#[async_trait]
impl Index for HybridIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        if query.limit == 0 {
            return Ok(Ranking::default());
        }
        let answers = self.ask(query).await?;
        let answered_by = (!answers.missing.is_empty())
            .then(|| Cow::Owned(format!("hybrid ({} unavailable)", answers.missing.join(", "))));
        Ok(Ranking { matches: self.fuse(query, &answers), answered_by })
    }
}

impl fmt::Debug for HybridIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HybridIndex")
            .field("config", &self.config)
            .field("parts", &self.parts)
            .field("servers", &self.servers.len())
            .finish()
    }
}

/// Why `tool` was found, by each part that did.
fn reasons(tool: ToolRef, answers: &Answers<'_>) -> Reasoning {
    let found = answers.found.iter().filter_map(|(_, matches)| matches.iter().find(|found| found.tool == tool));
    let reasons: Vec<Reasoning> = found.map(|found| found.reasoning.clone()).collect();
    Reasoning::when_read(move || reasons.iter().map(|reason| &**reason).collect::<Vec<_>>().join("; "))
}
