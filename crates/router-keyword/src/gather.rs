//! The terms of a query → the sums of the tools.

use std::ops::Range;

use crate::block::Posting;
use crate::query::WantedTerm;

/// How much its best clause adds to a tool's sum over the whole query.
const CLAUSE: f32 = 0.6;

/// Room for the sums of one query. Everything is 0 while nobody uses it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// For each tool of the index, its sum over the whole query; after [`Room::gather`] its final one.
    pub(crate) sums: Vec<f32>,
    /// For each tool of a block, its best sum over one clause.
    best: Vec<f32>,
    /// For each tool of a block, its sum over the clause at hand.
    clause: Vec<f32>,
    /// For each tool of a block, the best of the terms that say the same.
    same: Vec<f32>,
}

impl Room {
    /// Makes room for so many tools.
    pub(crate) fn reserve(&mut self, tools: usize) {
        reserve(&mut self.sums, tools);
    }

    /// Adds up what `terms`, which stand in as many clauses as there are `clauses`, their boosts, are worth to each tool of a block, whose places in the
    /// index are `tools`; `postings` has those of the block. Of terms that say the same
    /// thing only the one that is worth most counts: a tool that fetches, gets *and* reads is no better than one that gets.
    pub(crate) fn gather<P: Iterator<Item = Posting>>(
        &mut self,
        terms: &[WantedTerm],
        clauses: &[f32],
        tools: Range<usize>,
        postings: impl Fn(&WantedTerm) -> P,
    ) {
        for sums in [&mut self.best, &mut self.clause, &mut self.same] {
            reserve(sums, tools.len());
        }
        let first = tools.start;
        let several = clauses.len() > 1;
        for (clause, boost) in clauses.iter().enumerate() {
            let bit = 1 << clause;
            let in_clause = || terms.chunk_by(|a, b| a.group == b.group).filter(|same| same[0].clauses & bit != 0);
            for same in in_clause() {
                // What stands in two clauses counts once in the whole.
                let is_first = same[0].clauses & (bit - 1) == 0;
                self.add(same, several, is_first.then_some(first), &postings);
            }
            if several {
                for posting in in_clause().flatten().flat_map(&postings) {
                    let at = posting.tool as usize;
                    self.best[at] = self.best[at].max(boost * std::mem::take(&mut self.clause[at]));
                }
            }
        }
        if several {
            for posting in terms.iter().flat_map(postings) {
                // Over the whole again, so that a query that says one thing in two sentences scores as in one.
                let at = posting.tool as usize;
                let best = std::mem::take(&mut self.best[at]);
                if best > 0.0 {
                    let sum = &mut self.sums[first + at];
                    *sum = (*sum + CLAUSE * best) / (1.0 + CLAUSE);
                }
            }
        }
    }

    /// Adds what `same`, terms that say the same, are worth: to the clause, and to the sums that begin at a place.
    fn add<P: Iterator<Item = Posting>>(
        &mut self,
        same: &[WantedTerm],
        to_clause: bool,
        to_whole: Option<usize>,
        postings: &impl Fn(&WantedTerm) -> P,
    ) {
        let add = |at: usize, worth: f32, clause: &mut [f32], sums: &mut [f32]| {
            if to_clause {
                clause[at] += worth;
            }
            if let Some(first) = to_whole {
                sums[first + at] += worth;
            }
        };
        if let [alone] = same {
            for posting in postings(alone) {
                add(posting.tool as usize, alone.weight * posting.strength, &mut self.clause, &mut self.sums);
            }
            return;
        }
        for term in same {
            for posting in postings(term) {
                let best = &mut self.same[posting.tool as usize];
                *best = best.max(term.weight * posting.strength);
            }
        }
        for posting in same.iter().flat_map(postings) {
            let at = posting.tool as usize;
            let worth = std::mem::take(&mut self.same[at]);
            add(at, worth, &mut self.clause, &mut self.sums);
        }
    }
}

fn reserve(sums: &mut Vec<f32>, tools: usize) {
    if sums.len() < tools {
        sums.resize(tools, 0.0);
    }
}
