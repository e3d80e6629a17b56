//! A place in the fused list → a score in 0..=1 that can be compared between queries.
//!
//! The score is the estimated probability that the tool is what was wanted: a logistic function of the evidence for
//! the best tool of the list (whether anything fits at all), of how far the tool's share is below the best one's, and
//! of whether several things were asked for, so that several tools are right.
//!
//! The coefficients were fitted by logistic regression on the first ten of the fused lists of five development sets
//! and of our own sample, each counting alike: on their whole catalogues, on random parts of 1 to 32 servers, of which
//! half lacked what was wanted, and on 120 questions that no tool answers.

/// The log odds where the evidence is even.
const INTERCEPT: f32 = -0.26;

/// How fast the log odds rise with the evidence for the best tool.
const EVIDENCE: f32 = 0.78;

/// How fast the log odds fall with the distance from the best tool's share.
const DISTANCE: f32 = 11.1;

/// How much likelier a tool is where several things are asked for.
const SEVERAL: f32 = 1.06;

/// What the best tool of a list says of the whole list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calibration {
    best_share: f32,
    log_odds: f32,
}

impl Calibration {
    /// For a list whose first tool has this share and evidence.
    pub(crate) fn new(share: f32, evidence: f32, asks_for_several: bool) -> Self {
        let several = if asks_for_several { SEVERAL } else { 0.0 };
        Self { best_share: share, log_odds: INTERCEPT + EVIDENCE * evidence + several }
    }

    /// The score of a tool with this share. Never falls where the share rises.
    pub(crate) fn score(self, share: f32) -> f32 {
        let log_odds = self.log_odds - DISTANCE * (self.best_share - share);
        1.0 / (1.0 + (-log_odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_with_share_and_evidence_and_stays_in_range() {
        for evidence in [-16.0, -5.0, 0.0, 3.0, 16.0] {
            let calibration = Calibration::new(1.0, evidence, false);
            let scores: Vec<f32> = (0..=100).map(|step| calibration.score(step as f32 / 100.0)).collect();
            assert!(scores.is_sorted() && scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
        }
        let best = |evidence, several| Calibration::new(0.8, evidence, several).score(0.8);
        assert!(best(2.0, false) > 0.5 && best(-2.0, false) < 0.2);
        assert!(best(0.0, true) > best(0.0, false));
    }
}
