//! What the memories of all candidates together add to the score of each.
//!
//! The numbers were chosen by replaying the development sets (`examples/replay`): the first half of the queries used,
//! the second half measured, over several ways to halve them, with every fifth use being of a wrong tool and without.
//! They are the ones with the greatest gain under the condition that no set gets worse in either case.

use crate::tool::Evidence;

/// The most that is ever added, in log-odds: a tool of score 0.5 gets 0.73.
pub(crate) const MOST: f32 = 1.0;

/// How far a tool is to stand above the one that it was preferred to, in log-odds.
const LEAD: f32 = 0.2;

/// What is believed before there is any evidence, in uses: that nothing is needed.
const DOUBT: f32 = 0.2;

/// How much the uses of another candidate after such queries count against a tool. Similar queries want several tools
/// then, and which of them is better judged by the words, which the other router has seen.
const CONTEST: f32 = 3.0;

/// So many principals who used another candidate after such queries outvote one: the tool gets nothing then.
const OUTVOTED: f32 = 2.0;

/// A probability's log-odds. The bounds keep certainty finite.
pub(crate) fn log_odds(score: f32) -> f32 {
    const NEAR: f32 = 1e-6;
    let score = if score.is_nan() { NEAR } else { score.clamp(NEAR, 1.0 - NEAR) };
    (score / (1.0 - score)).ln()
}

/// A score with so much added in log-odds; never lower than it was.
pub(crate) fn raised(score: f32, by: f32) -> f32 {
    let odds = (log_odds(score) + by).exp();
    (odds / (1.0 + odds)).min(1.0).max(score)
}

/// What is to be added to each candidate, in log-odds, 0..=[`MOST`].
pub(crate) fn lifts(evidence: &[Option<Evidence>]) -> Vec<f32> {
    // The two strongest: what contests a candidate is the strongest other one.
    let (mut first, mut second) = ((0.0, usize::MAX), 0.0);
    for (place, weight) in evidence.iter().enumerate().filter_map(|(place, known)| Some((place, (*known)?.weight))) {
        if weight > first.0 {
            (first, second) = ((weight, place), first.0);
        } else if weight > second {
            second = weight;
        }
    }
    let contest = |place| if place == first.1 { second } else { first.0 };
    let lift = |(place, known): (usize, &Option<Evidence>)| known.map_or(0.0, |known| lift(&known, contest(place)));
    evidence.iter().enumerate().map(lift).collect()
}

/// What a tool with this evidence gets where nobody contests it.
pub(crate) fn uncontested(evidence: Option<Evidence>) -> f32 {
    evidence.map_or(0.0, |evidence| lift(&evidence, 0.0))
}

fn lift(evidence: &Evidence, contest: f32) -> f32 {
    if contest >= OUTVOTED * evidence.weight.max(1.0) {
        return 0.0;
    }
    let belief = evidence.weight / (evidence.weight + DOUBT + CONTEST * contest);
    (evidence.needed * belief * evidence.likeness).clamp(0.0, MOST)
}

/// How much a tool needed to stand first that stood at `score`, already raised by `lift`, beside a best other one at
/// `rival`. Less than it had where it had more than enough, so that what is no longer needed is unlearned.
pub(crate) fn needed(lift: f32, score: f32, rival: Option<f32>) -> f32 {
    let Some(rival) = rival else { return 0.0 };
    (lift + log_odds(rival) - log_odds(score) + LEAD).clamp(0.0, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: Evidence = Evidence { needed: 0.9, weight: 3.0, likeness: 1.0 };

    #[test]
    fn raising_is_bounded_and_keeps_the_order() {
        let scores: Vec<f32> = (0..=1000).map(|n| n as f32 / 1000.0).collect();
        let all: Vec<f32> = scores.iter().map(|score| raised(*score, MOST)).collect();
        assert!(all.is_sorted() && all.iter().all(|score| (0.0..=1.0).contains(score)));
        assert!((raised(0.5, MOST) - 0.731).abs() < 0.001);
        for score in scores {
            assert!((raised(score, 0.0) - score).abs() < 1e-5, "{score}");
            assert!(raised(score, 0.0) >= score);
        }
    }

    #[test]
    fn others_that_were_used_alike_count_against_a_tool() {
        let alone = lifts(&[None, Some(STRONG), None]);
        assert!(alone[0] == 0.0 && alone[1] > 0.8 && alone[1] <= MOST);
        let contested = lifts(&[Some(Evidence { needed: 0.0, ..STRONG }), Some(STRONG)]);
        assert!(contested[0] == 0.0 && contested[1] < 0.25, "{contested:?}");
        let one = Evidence { weight: 1.0, ..STRONG };
        assert!(lifts(&[Some(one), Some(one)])[0] > 0.0, "one voice against another");
        assert_eq!(lifts(&[Some(one), Some(STRONG)])[0], 0.0, "one voice against three");
        assert_eq!(lifts(&[Some(STRONG), Some(STRONG)]), [contested[1]; 2], "equal ones are each other's contest");
    }

    #[test]
    fn only_what_was_passed_over_needs_anything() {
        assert_eq!(needed(0.0, 0.9, None), 0.0);
        assert_eq!(needed(0.0, 0.9, Some(0.5)), 0.0);
        assert!((needed(0.0, 0.5, Some(0.6)) - (log_odds(0.6) + LEAD)).abs() < 1e-6);
        assert_eq!(needed(0.0, 0.01, Some(0.99)), MOST);
        // It stands first because of what it was given, and goes on needing it.
        let given = raised(0.5, 0.6);
        assert!((needed(0.6, given, Some(0.6)) - needed(0.0, 0.5, Some(0.6))).abs() < 1e-5);
        // It was given more than it needed.
        assert_eq!(needed(0.6, 0.9, Some(0.1)), 0.0);
        for odd in [f32::NAN, f32::INFINITY, -1.0, 2.0] {
            assert!((0.0..=MOST).contains(&needed(0.0, odd, Some(0.5))), "{odd}");
            assert!((0.0..=MOST).contains(&needed(0.0, 0.5, Some(odd))), "{odd}");
        }
    }
}
