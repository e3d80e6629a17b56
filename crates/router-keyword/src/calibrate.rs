//! A BM25F sum → a score in 0..=1 that can be compared between queries.
//!
//! The score is the estimated probability that the tool is what was wanted. It is a logistic function of two
//! figures: the sum (how much evidence there is) and the query's ideal (how much there could be). A lone rare
//! word that matches is good evidence in a query of two words, and little in one of twenty, but by no means a
//! tenth: long queries say most things more than once.
//!
//! The coefficients were fitted by logistic regression on the first answers to five development sets: the whole
//! queries, random parts of three to six words of them, the whole queries on random catalogues of 1 to 32 servers of
//! which half lacked the right tool (each kind of each set with the weight of one), a hundred exact tool names of each
//! set and thirty questions of small talk that no tool answers (half that weight). Without any one set, they stay
//! within 0.15 of these, `EVIDENCE` within 0.25. Of the first answers with a score between
//! 0.5 and 0.6, 54 in 100 were right; between 0.8 and 0.9, 80; above 0.9, 94.

/// What is left when nothing is known.
const INTERCEPT: f32 = -1.14;

/// How fast the odds grow with the sum: its power.
const EVIDENCE: f32 = 3.69;

/// How fast the odds shrink with what was asked for: its power.
const DEMAND: f32 = 0.65;

/// How much less each further word of a query is missed than the next rarer one.
const DECAY: f32 = 0.9;

/// How much a query asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// The rarity of a word that one tool has: the unit in which catalogues of any size agree.
    unit: f32,
    /// The rarities of the query's words, known or not, each of the commoner ones decayed.
    total: f32,
}

impl Demand {
    /// The demand of a query with words of these `rarities`. `unit` is the rarity of a word that one tool has.
    pub(crate) fn new(mut rarities: Vec<f32>, unit: f32) -> Self {
        rarities.sort_unstable_by(|a, b| b.total_cmp(a));
        let total = rarities.iter().rev().fold(0.0, |total, rarity| rarity + DECAY * total);
        Self { unit, total }
    }

    /// The score of a tool with this `sum`. Never falls where the sum rises.
    pub(crate) fn score(self, sum: f32) -> f32 {
        if sum <= 0.0 {
            return 0.0;
        }
        // A query of stop words only can still be a tool's name; it asks for no less than one word.
        let (sum, total) = (sum / self.unit, (self.total / self.unit).max(0.5));
        let odds = (INTERCEPT + EVIDENCE * sum.ln() - DEMAND * total.ln()).exp();
        if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_with_the_sum_and_stays_in_range() {
        let demand = Demand::new(vec![3.0, 8.0, 5.0], 7.0);
        let scores: Vec<f32> = (0..2_000).map(|step| demand.score(step as f32 / 20.0)).collect();
        assert!(scores.is_sorted());
        assert_eq!(scores[0], 0.0);
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        assert!(demand.score(f32::MAX) <= 1.0 && demand.score(f32::MIN_POSITIVE) >= 0.0);
    }

    #[test]
    fn unknown_words_lower_it_but_not_to_nothing() {
        let (unit, sum) = (7.0, 7.0);
        let alone = Demand::new(vec![7.0], unit).score(sum);
        let with_one = Demand::new(vec![7.0, 8.0], unit).score(sum);
        let with_many = Demand::new([vec![7.0], vec![8.0; 1_000]].concat(), unit).score(sum);
        assert!(alone > with_one && with_one > with_many && with_many > 0.05, "{alone} {with_one} {with_many}");
    }
}
