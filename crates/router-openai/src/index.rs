//! One set of tools, ready to be asked.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Result, ServerTools, ToolRef};

use crate::candidates::Candidate;
use crate::judge::Judge;
use crate::prompt::{Pick, Shown};

/// The index of an [`OpenAiRouter`](crate::OpenAiRouter).
pub(crate) struct OpenAiIndex {
    inner_name: String,
    inner: Arc<dyn Index>,
    servers: Vec<Arc<ServerTools>>,
    judge: Arc<Judge>,
}

impl OpenAiIndex {
    pub(crate) fn new(
        inner_name: &str,
        inner: Arc<dyn Index>,
        servers: Vec<Arc<ServerTools>>,
        judge: Arc<Judge>,
    ) -> Self {
        Self { inner_name: inner_name.to_owned(), inner, servers, judge }
    }

    fn shown(&self, text: &str, candidates: &[Match]) -> Shown {
        let max_description_bytes = self.judge.config().max_description_bytes;
        let show = |found: &Match| {
            let ToolRef { server, tool } = found.tool;
            let server = self.servers.get(server as usize)?;
            let tool = server.tools().get(tool as usize)?;
            Some(Candidate::new(server.server(), tool, max_description_bytes))
        };
        // A tool that is not of the set cannot be shown; its empty place keeps the positions of the others.
        let candidates = candidates.iter().map(|found| show(found).unwrap_or_default()).collect();
        Shown::new(self.judge.model_name(), text, candidates)
    }

    fn unavailable(&self, found: Ranking) -> Ranking {
        let by = found.answered_by.as_deref().unwrap_or(&self.inner_name);
        let answered_by = Some(Cow::Owned(format!("{by} (openai unavailable)")));
        Ranking { answered_by, ..found }
    }
}

#[async_trait]
impl Index for OpenAiIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        if query.limit == 0 {
            return Ok(Ranking::default());
        }
        let candidates = self.judge.config().candidates.max(1);
        // Where more is wanted than is judged, there must be enough even if the model leaves all but one out.
        let limit = if query.limit > candidates { query.limit.saturating_add(candidates) } else { candidates };
        // The bar is for the model's scores: a candidate that the router beneath finds doubtful may be the one.
        let wide = Query { limit, min_score: 0.0, ..*query };
        let mut found = self.inner.rank(&wide).await?;
        if !found.matches.is_empty() {
            let judged = found.matches.len().min(candidates);
            let shown = self.shown(query.text, &found.matches[..judged]);
            found = match self.judge.picks(&shown).await {
                Some(picks) => merged(found.matches, judged, &picks).into(),
                None => self.unavailable(found),
            };
        }
        // Not a number counts as no limit.
        found.matches.retain(|found| found.score.partial_cmp(&query.min_score) != Some(Ordering::Less));
        found.matches.truncate(query.limit);
        Ok(found)
    }
}

/// The model's picks among the first `judged` of `found`, then what it was not shown, in the old order and with scores
/// below. Where it picked none, nothing follows: what ranked lower still does not fit either.
fn merged(found: Vec<Match>, judged: usize, picks: &[Pick]) -> Vec<Match> {
    let Some(lowest) = picks.last().map(|pick| pick.score) else { return Vec::new() };
    let mut matches: Vec<Match> = picks
        .iter()
        .filter_map(|pick| {
            let candidate = found.get(pick.candidate)?;
            let picked = || pick.reasoning.as_str().into();
            let reasoning = if pick.reasoning.is_empty() { candidate.reasoning.clone() } else { picked() };
            Some(Match { tool: candidate.tool, score: pick.score, reasoning })
        })
        .collect();
    let below = |score: f32| score.min(lowest) / 2.0;
    matches.extend(found.into_iter().skip(judged).map(|rest| Match { score: below(rest.score), ..rest }));
    matches
}

impl fmt::Debug for OpenAiIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiIndex").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(score: f32, tool: u32) -> Match {
        Match { tool: ToolRef { server: 0, tool }, score, reasoning: format!("words {tool}").into() }
    }

    fn pick(candidate: usize, score: f32, reasoning: &str) -> Pick {
        Pick { candidate, score, reasoning: reasoning.to_owned() }
    }

    #[test]
    fn what_was_not_judged_follows_below() {
        let all = vec![found(0.9, 0), found(0.8, 1), found(0.7, 2), found(0.6, 3), found(0.1, 4)];
        let merged = merged(all, 3, &[pick(2, 0.95, "fits"), pick(0, 0.4, "")]);
        let seen: Vec<_> = merged.iter().map(|found| (found.tool.tool, found.score, &*found.reasoning)).collect();
        let expected = [(2, 0.95, "fits"), (0, 0.4, "words 0"), (3, 0.2, "words 3"), (4, 0.05, "words 4")];
        assert_eq!(seen, expected);
    }

    #[test]
    fn where_nothing_fits_nothing_comes() {
        assert_eq!(merged(vec![found(0.9, 0), found(0.8, 1)], 1, &[]), []);
    }
}
