//! What several routers answered → one list.
//!
//! Scores of different routers do not mean the same, even where all are calibrated: what tells two tools apart is how
//! far each stands below the best of its list. So each score becomes a share of the best one's, 0..=1, and a tool's
//! share is the weighted mean over the routers (a linear combination of normalized scores, CombSUM in Fox and Shaw,
//! "Combination of Multiple Searches", TREC-2, 1994). Ranks, the usual thing to fuse, forget how far apart two tools are.

use gateway_core::{Match, ToolRef};
use rustc_hash::FxHashMap;

use crate::part::Fall;

/// The log odds of a tool that a router has not found.
const NOT_FOUND: f32 = -5.0;

/// Log odds beyond this are taken for this: scores of exactly 0 and 1 have infinite ones.
const MOST: f32 = 16.0;

/// What one router answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'m> {
    /// The matches, best first.
    pub(crate) matches: &'m [Match],
    /// How much they count. Of all lists together: 1.
    pub(crate) weight: f32,
    /// How the router's scores fall.
    pub(crate) fall: Fall,
}

/// A tool that some router found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) tool: ToolRef,
    /// The weighted mean of its shares, 0..=1.
    pub(crate) share: f32,
    /// The weighted mean of its log odds.
    pub(crate) evidence: f32,
}

/// All tools of `lists`, the greatest share first; among equals the one declared first.
pub(crate) fn fuse(lists: &[List<'_>]) -> Vec<Candidate> {
    let mut places: FxHashMap<ToolRef, usize> = FxHashMap::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    for list in lists {
        let best = list.matches.first().map_or(0.0, |best| log_odds(best.score));
        for found in list.matches {
            let place = *places.entry(found.tool).or_insert(candidates.len());
            if place == candidates.len() {
                candidates.push(Candidate { tool: found.tool, share: 0.0, evidence: NOT_FOUND });
            }
            let log_odds = log_odds(found.score);
            let candidate = &mut candidates[place];
            candidate.share += list.weight * list.fall.share(best - log_odds);
            candidate.evidence += list.weight * (log_odds - NOT_FOUND).max(0.0);
        }
    }
    candidates.sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.tool.cmp(&b.tool)));
    candidates
}

impl Fall {
    /// The share of a tool whose log odds are `below` the best one's.
    fn share(self, below: f32) -> f32 {
        match self {
            Self::Ratio(power) => (-below / power).exp(),
            Self::Difference(most) => (1.0 - below / most).max(0.0),
        }
    }
}

fn log_odds(score: f32) -> f32 {
    let odds = score / (1.0 - score);
    // A score that is not a number says nothing.
    if odds.is_nan() { -MOST } else { odds.ln().clamp(-MOST, MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(scores: &[(u32, f32)]) -> Vec<Match> {
        let found = |(tool, score): &(u32, f32)| Match {
            tool: ToolRef { server: 0, tool: *tool },
            score: *score,
            reasoning: "x".into(),
        };
        scores.iter().map(found).collect()
    }

    fn order(words: &[(u32, f32)], meaning: &[(u32, f32)]) -> Vec<u32> {
        let (words, meaning) = (matches(words), matches(meaning));
        let fused = fuse(&[
            List { matches: &words, weight: 0.5, fall: Fall::Ratio(2.5) },
            List { matches: &meaning, weight: 0.5, fall: Fall::Difference(9.0) },
        ]);
        assert!(fused.iter().all(|candidate| (0.0..=1.0).contains(&candidate.share)), "{fused:?}");
        assert!(fused.iter().all(|candidate| candidate.evidence.is_finite()), "{fused:?}");
        fused.iter().map(|candidate| candidate.tool.tool).collect()
    }

    #[test]
    fn what_both_find_comes_before_what_one_finds() {
        assert_eq!(order(&[(1, 0.9), (2, 0.8)], &[(3, 0.9), (2, 0.8)]), [2, 1, 3]);
    }

    #[test]
    fn distances_count_and_not_only_ranks() {
        // Both orders disagree; the one that is sure decides.
        assert_eq!(order(&[(1, 0.99), (2, 0.1)], &[(2, 0.5), (1, 0.45)]), [1, 2]);
        assert_eq!(order(&[(1, 0.5), (2, 0.48)], &[(2, 0.9), (1, 0.05)]), [2, 1]);
    }

    #[test]
    fn a_list_may_be_empty_and_scores_extreme() {
        assert_eq!(order(&[], &[(4, 0.2), (5, 0.1)]), [4, 5]);
        assert_eq!(order(&[], &[]), [0; 0]);
        assert_eq!(order(&[(1, 1.0), (2, 0.5), (3, 0.0), (4, f32::NAN)], &[(1, 1.0)]), [1, 2, 3, 4]);
    }
}
