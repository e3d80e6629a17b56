//! A cosine → a score in 0..=1 that can be compared between queries.
//!
//! The score is the estimated probability that the tool is what was wanted: a logistic function of the cosine, of how
//! many standard deviations it stands above the mean of all tools of the catalogue, and of how many tools there are.
//! The first alone would not do: a vague query is somewhat near to everything. Nor would the second: in a catalogue
//! without the right tool there still is a nearest one. And the nearest of thousands is near by chance.
//!
//! The coefficients were fitted by logistic regression on five development sets of queries with known right tools and
//! on two dozen questions that no tool answers, each set counting alike: on the ten nearest tools of each query among
//! all tools of the set, among those of the right server and 1 to 32 random ones, and among random ones without the
//! right tools. The floor is where about three of a hundred right ones among those ten are lost, and three of four
//! questions that no tool answers find nothing.

/// What the cosines of a model mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The log odds at a cosine of 0 that is no more than usual.
    pub intercept: f32,
    /// How fast the log odds rise with the cosine.
    pub cosine: f32,
    /// How fast the log odds rise with each standard deviation above the mean of the catalogue.
    pub distinction: f32,
    /// How fast the log odds rise with the natural logarithm of the number of tools: the best of many stands out by
    /// chance.
    pub size: f32,
    /// The mean cosine of a query with tools that it does not mean.
    pub usual_mean: f32,
    /// The standard deviation of that.
    pub usual_deviation: f32,
    /// The lowest score that is worth showing.
    pub floor: f32,
}

/// How many tools of the usual kind every catalogue is taken to have beside its own. Among three tools there is no
/// telling what is usual.
const USUAL_TOOLS: f32 = 30.0;

impl Calibration {
    /// For the model that comes with this crate.
    pub const STATIC: Self = Self {
        intercept: -3.44,
        cosine: 6.23,
        distinction: 0.776,
        size: -0.835,
        usual_mean: 0.070,
        usual_deviation: 0.098,
        floor: 0.02,
    };

    /// For all-MiniLM-L6-v2.
    pub const MINILM: Self = Self {
        intercept: -4.11,
        cosine: 7.18,
        distinction: 0.866,
        size: -0.759,
        usual_mean: 0.100,
        usual_deviation: 0.084,
        floor: 0.02,
    };

    /// For a model that is not known. Only how far a tool stands out counts, since what a cosine of 0.5 means differs
    /// from model to model; so it knows less well when nothing fits.
    pub const ANY: Self = Self {
        intercept: -0.88,
        cosine: 0.0,
        distinction: 1.39,
        size: -1.07,
        usual_mean: 0.085,
        usual_deviation: 0.091,
        floor: 0.05,
    };
}

/// What is usual in one catalogue for one query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    calibration: Calibration,
    mean: f32,
    deviation: f32,
    /// The logarithm of the number of tools.
    size: f32,
}

impl Usual {
    /// Of the `cosines` of all tools.
    pub(crate) fn new(calibration: Calibration, cosines: impl Iterator<Item = f32>) -> Self {
        let (usual, usual_square) = (calibration.usual_mean, calibration.usual_deviation.powi(2));
        let start = (USUAL_TOOLS, USUAL_TOOLS * usual, USUAL_TOOLS * (usual_square + usual.powi(2)));
        let (count, sum, squares) =
            cosines.fold(start, |(count, sum, squares), cosine| (count + 1.0, sum + cosine, squares + cosine * cosine));
        let mean = sum / count;
        let deviation = (squares / count - mean.powi(2)).max(f32::EPSILON).sqrt();
        Self { calibration, mean, deviation, size: count.ln() }
    }

    /// The score of a tool with this `cosine`. Never falls where the cosine rises.
    pub(crate) fn score(&self, cosine: f32) -> f32 {
        let Calibration { intercept, cosine: slope, distinction, size, .. } = self.calibration;
        let distinctness = (cosine - self.mean) / self.deviation;
        let log_odds = intercept + slope * cosine + distinction * distinctness + size * self.size;
        1.0 / (1.0 + (-log_odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_with_the_cosine_and_stays_in_range() {
        for catalogue in
            [vec![], vec![0.3], vec![0.0; 10_000], vec![1.0; 10], (0..99).map(|n| n as f32 / 99.0).collect()]
        {
            let usual = Usual::new(Calibration::STATIC, catalogue.iter().copied());
            let scores: Vec<f32> = (-1_000..=1_000).map(|step| usual.score(step as f32 / 1_000.0)).collect();
            assert!(
                scores.is_sorted() && scores.iter().all(|score| (0.0..=1.0).contains(score)),
                "{} tools",
                catalogue.len()
            );
        }
    }

    #[test]
    fn what_stands_out_scores_higher() {
        let vague = Usual::new(Calibration::STATIC, (0..1_000).map(|tool| 0.3 + (tool % 10) as f32 / 50.0));
        let clear = Usual::new(Calibration::STATIC, (0..1_000).map(|tool| (tool % 10) as f32 / 50.0));
        assert!(clear.score(0.5) > vague.score(0.5) + 0.1, "{} {}", clear.score(0.5), vague.score(0.5));
    }
}
