//! Whether scores can be believed, and whether a router knows when to say nothing.

/// The bins of the calibration error.
const BINS: usize = 10;

/// The first answer to a request that some tool answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum First {
    /// A tool that was wanted, with its score.
    Right(f32),
    /// Another tool, with its score.
    Wrong(f32),
    /// Nothing.
    None,
}

/// Requests and what a router made of them. Shares are 0..=1, and 0 where there is nothing to share.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calibration {
    /// Requests whose first answer was right.
    pub right: usize,
    /// The mean score of those.
    pub right_score: f64,
    /// Requests whose first answer was wrong.
    pub wrong: usize,
    /// The mean score of those.
    pub wrong_score: f64,
    /// Requests that some tool answers, and that got no answer.
    pub unanswered: usize,
    /// The expected calibration error of the first answers' scores: the mean distance between score and share of right
    /// ones, in ten bins of equal width (Guo and others, "On Calibration of Modern Neural Networks", 2017).
    pub error: f64,
    /// Requests that no tool answers.
    pub irrelevant: usize,
    /// How many of those got an answer.
    pub irrelevant_answered: usize,
}

impl Calibration {
    /// Which part of the requests that got an answer have one.
    pub fn precision(&self) -> f64 {
        let answered = self.right + self.wrong;
        share(answered, answered + self.irrelevant_answered)
    }

    /// Which part of the requests that have an answer got one, right or wrong.
    pub fn recall(&self) -> f64 {
        let answered = self.right + self.wrong;
        share(answered, answered + self.unanswered)
    }
}

/// Judges the first answers to requests, and how many of `irrelevant` ones were answered.
pub fn calibrate(firsts: &[First], irrelevant: usize, irrelevant_answered: usize) -> Calibration {
    let mut found = Calibration { irrelevant, irrelevant_answered, ..Calibration::default() };
    let (mut right_sum, mut wrong_sum) = (0.0, 0.0);
    // Of each bin the sum of the scores, and how many of its answers are right.
    let mut bins = [(0.0, 0.0); BINS];
    for first in firsts {
        let (score, is_right) = match *first {
            First::None => {
                found.unanswered += 1;
                continue;
            }
            First::Right(score) => (f64::from(score), 1.0),
            First::Wrong(score) => (f64::from(score), 0.0),
        };
        if is_right > 0.0 {
            found.right += 1;
            right_sum += score;
        } else {
            found.wrong += 1;
            wrong_sum += score;
        }
        let bin = &mut bins[((score * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += score;
        bin.1 += is_right;
    }
    found.right_score = right_sum / found.right.max(1) as f64;
    found.wrong_score = wrong_sum / found.wrong.max(1) as f64;
    // A bin's distance weighs as much as it has answers: the counts cancel.
    let distance: f64 = bins.iter().map(|(scores, right)| (scores - right).abs()).sum();
    found.error = distance / (found.right + found.wrong).max(1) as f64;
    found
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed_case() {
        let firsts = [
            // One bin: mean score 0.925, half of them right: off by 0.425.
            First::Right(0.9),
            First::Wrong(0.9),
            First::Right(0.95),
            First::Wrong(0.95),
            // Another: off by 0.2.
            First::Wrong(0.2),
            First::None,
        ];
        let found = calibrate(&firsts, 4, 1);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        near(found.error, (4.0 * (0.925 - 0.5) + 0.2) / 5.0);
        near(found.right_score, 0.925);
        near(found.wrong_score, (0.9 + 0.95 + 0.2) / 3.0);
        assert_eq!((found.right, found.wrong, found.unanswered), (2, 3, 1));
        near(found.precision(), 5.0 / 6.0);
        near(found.recall(), 5.0 / 6.0);
    }

    #[test]
    fn perfect_and_empty() {
        let perfect = calibrate(&[First::Right(1.0), First::Wrong(0.0)], 2, 0);
        assert_eq!((perfect.error, perfect.precision(), perfect.recall()), (0.0, 1.0, 1.0));
        assert_eq!(calibrate(&[], 0, 0), Calibration::default());
    }
}
