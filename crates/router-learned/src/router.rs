//! Asks another router and adds what was learned.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Reasoning, Result, Router, ServerTools};

use crate::lift::{MOST, log_odds, raised};
use crate::memory::Memory;

/// Candidates that the other router is asked for beyond the limit: what stands below it may deserve to stand above.
const MORE: usize = 20;

/// Said of a tool that was raised.
const CHOSEN: &str = "; chosen before for such requests";

/// Another router, whose ranking is corrected by what callers made of it. Has the other one's name.
///
/// What the other router does not find, because nothing fits or the caller may not see it, is not found here either:
/// what others did never shows a tool, it only moves those that are there.
#[derive(Debug)]
pub struct LearnedRouter {
    inner: Arc<dyn Router>,
    memory: Arc<Memory>,
}

#[derive(Debug)]
struct LearnedIndex {
    inner: Arc<dyn Index>,
    memory: Arc<Memory>,
    servers: Box<[Arc<ServerTools>]>,
}

impl LearnedRouter {
    /// Corrects `inner` by `memory`. Give the same memory to
    /// [`GatewayBuilder::with_feedback`](gateway_core::GatewayBuilder::with_feedback), or it never learns.
    ///
    /// A router that asks a service about every candidate belongs outside of this one, not inside: it is asked for
    /// more candidates than are wanted.
    pub fn new(inner: Arc<dyn Router>, memory: Arc<Memory>) -> Self {
        Self { inner, memory }
    }
}

#[async_trait]
impl Router for LearnedRouter {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let inner = self.inner.index(servers).await?;
        Ok(Arc::new(LearnedIndex { inner, memory: Arc::clone(&self.memory), servers: servers.into() }))
    }
}

#[async_trait]
impl Index for LearnedIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        if query.limit == 0 || self.memory.is_empty() {
            return self.inner.rank(query).await;
        }
        let more = Query { limit: query.limit.saturating_add(MORE), min_score: lowered(query.min_score), ..*query };
        let mut ranking = self.inner.rank(&more).await?;
        self.raise(query.text, &mut ranking.matches);
        // Not a number counts as no limit.
        ranking.matches.retain(|found| query.min_score.is_nan() || found.score >= query.min_score);
        ranking.matches.truncate(query.limit);
        Ok(ranking)
    }
}

impl LearnedIndex {
    fn raise(&self, query: &str, matches: &mut [Match]) {
        let name = |found: &Match| {
            let server = self.servers.get(found.tool.server as usize)?;
            Some((server.server(), server.tools().get(found.tool.tool as usize)?.name()))
        };
        // A tool that is not there has no memory; the engine leaves it out.
        let lifts = self.memory.lifts(query, matches.iter().map(|found| name(found).unwrap_or_default()));
        if lifts.iter().all(|lift| *lift <= 0.0) {
            return;
        }
        for (found, lift) in matches.iter_mut().zip(lifts).filter(|(_, lift)| *lift > 0.0) {
            found.score = raised(found.score, lift);
            let before = found.reasoning.clone();
            found.reasoning = Reasoning::when_read(move || format!("{before}{CHOSEN}"));
        }
        // Stable: equal ones stand as the other router had them.
        matches.sort_by(|one, other| other.score.total_cmp(&one.score));
    }
}

/// The score from which on a tool may reach `min_score`.
fn lowered(min_score: f32) -> f32 {
    if min_score > 0.0 { 1.0 / (1.0 + (MOST - log_odds(min_score)).exp()) } else { min_score }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_reach_the_limit_is_asked_for() {
        for min_score in [0.01, 0.05, 0.3, 0.5, 0.9, 0.99] {
            let low = lowered(min_score);
            assert!(low < min_score && (raised(low, MOST) - min_score).abs() < 1e-3, "{min_score}: {low}");
        }
        assert_eq!(lowered(0.0), 0.0);
        assert!(lowered(f32::NAN).is_nan());
    }
}
