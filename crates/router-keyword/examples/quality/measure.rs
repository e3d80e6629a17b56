//! How good a ranking is.

use gateway_core::{Index, Match, Query};

use crate::data::{Asked, Set};

/// Means over the queries of a set, 0..=1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    /// Normalized discounted cumulative gain of the first ten.
    pub ndcg_at_10: f64,
    /// Which part of what was wanted is first.
    pub recall_at_1: f64,
    /// Which part of what was wanted is among the first five.
    pub recall_at_5: f64,
    /// Which part of what was wanted is among the first ten.
    pub recall_at_10: f64,
}

impl Quality {
    /// The mean of several.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        Self {
            ndcg_at_10: mean(|one| one.ndcg_at_10),
            recall_at_1: mean(|one| one.recall_at_1),
            recall_at_5: mean(|one| one.recall_at_5),
            recall_at_10: mean(|one| one.recall_at_10),
        }
    }
}

/// The answers to all queries of `set`, ten each.
pub async fn answers(set: &Set, index: &dyn Index) -> gateway_core::Result<Vec<Vec<Match>>> {
    let mut answers = Vec::with_capacity(set.queries.len());
    for asked in &set.queries {
        let query = Query { text: &asked.text, limit: 10, min_score: 0.0, visible: &|_| true };
        answers.push(index.rank(&query).await?.matches);
    }
    Ok(answers)
}

/// How good one answer is.
pub fn judge(asked: &Asked, answer: &[Match]) -> Quality {
    let mut open: Vec<_> = asked.wanted.iter().collect();
    let mut quality = Quality::default();
    let (mut gain, mut met) = (0.0, 0.0);
    let wanted = open.len().max(1) as f64;
    for (place, found) in answer.iter().take(10).enumerate() {
        if let Some(at) = open.iter().position(|equal| equal.contains(&found.tool)) {
            open.swap_remove(at);
            gain += discount(place);
            met += 1.0 / wanted;
        }
        match place {
            0 => quality.recall_at_1 = met,
            1..=4 => quality.recall_at_5 = met,
            _ => {}
        }
    }
    quality.recall_at_5 = quality.recall_at_5.max(quality.recall_at_1);
    quality.recall_at_10 = met;
    quality.ndcg_at_10 = gain / (0..asked.wanted.len().clamp(1, 10)).map(discount).sum::<f64>();
    quality
}

/// Whether the first of `answer` is among what was wanted.
pub fn first_is_right(asked: &Asked, answer: &[Match]) -> bool {
    answer.first().is_some_and(|first| asked.wanted.iter().flatten().any(|tool| *tool == first.tool))
}

fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}
