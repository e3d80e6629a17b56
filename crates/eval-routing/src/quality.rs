//! How good an answer is.
//!
//! All figures have binary gains: a tool is right or it is not. A request has a *slot* for each thing wanted, and a
//! slot is met by any of the tools that are equally right; a tool meets one slot at most. nDCG is as in Järvelin and
//! Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), with a discount of log2(rank + 1).

use gateway_core::ToolRef;

use crate::data::Request;

/// How many tools of an answer count.
pub(crate) const DEPTH: usize = 10;

/// How good an answer is, or the mean of several; each figure 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Which part of the slots the first tool meets.
    pub recall_at_1: f64,
    /// Which part of the slots the first five meet.
    pub recall_at_5: f64,
    /// Which part of the slots the first ten meet.
    pub recall_at_10: f64,
    /// Normalized discounted cumulative gain of the first ten.
    pub ndcg_at_10: f64,
    /// One over the rank of the first tool that meets a slot; 0 where none of the first ten does.
    pub mrr: f64,
    /// 1 where all slots are met by the first ten, else 0.
    pub complete_at_10: f64,
}

impl Quality {
    /// The mean of several.
    pub fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        Self {
            recall_at_1: mean(|one| one.recall_at_1),
            recall_at_5: mean(|one| one.recall_at_5),
            recall_at_10: mean(|one| one.recall_at_10),
            ndcg_at_10: mean(|one| one.ndcg_at_10),
            mrr: mean(|one| one.mrr),
            complete_at_10: mean(|one| one.complete_at_10),
        }
    }
}

/// How good the answer `tools`, best first, is for `request`.
pub fn judge(request: &Request, tools: &[ToolRef]) -> Quality {
    let mut open: Vec<&Vec<ToolRef>> = request.slots.iter().collect();
    let wanted = open.len().max(1) as f64;
    let mut quality = Quality::default();
    let (mut gain, mut met) = (0.0, 0.0);
    for (place, tool) in tools.iter().take(DEPTH).enumerate() {
        // Its own slot before one for which it is as good as another.
        let own = open.iter().position(|slot| slot.first() == Some(tool));
        if let Some(slot) = own.or_else(|| open.iter().position(|slot| slot.contains(tool))) {
            open.remove(slot);
            gain += discount(place);
            met += 1.0;
            if quality.mrr == 0.0 {
                quality.mrr = 1.0 / (place as f64 + 1.0);
            }
        }
        if place == 0 {
            quality.recall_at_1 = met / wanted;
        }
        if place < 5 {
            quality.recall_at_5 = met / wanted;
        }
    }
    quality.recall_at_10 = met / wanted;
    quality.complete_at_10 = if open.is_empty() { 1.0 } else { 0.0 };
    let ideal: f64 = (0..request.slots.len().clamp(1, DEPTH)).map(discount).sum();
    quality.ndcg_at_10 = gain / ideal;
    quality
}

/// What a right tool at `place`, from 0, is worth.
fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(tool: u32) -> ToolRef {
        ToolRef { server: 0, tool }
    }

    fn judged(slots: &[&[u32]], answer: &[u32]) -> Quality {
        let slots = slots.iter().map(|slot| slot.iter().copied().map(tool).collect()).collect();
        let answer: Vec<ToolRef> = answer.iter().copied().map(tool).collect();
        judge(&Request { text: String::new(), slots }, &answer)
    }

    /// Expected: recall at 1, 5, 10, nDCG, MRR, completeness.
    fn check(slots: &[&[u32]], answer: &[u32], expected: [f64; 6]) {
        let quality = judged(slots, answer);
        let Quality { recall_at_1, recall_at_5, recall_at_10, ndcg_at_10, mrr, complete_at_10 } = quality;
        let found = [recall_at_1, recall_at_5, recall_at_10, ndcg_at_10, mrr, complete_at_10];
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(near, "{slots:?} answered {answer:?}\nfound    {found:?}\nexpected {expected:?}");
    }

    #[test]
    fn hand_computed_cases() {
        // Discounts: rank 1 1, rank 2 0.6309298, rank 3 0.5, rank 7 1/3, rank 10 0.2890648.
        check(&[&[1]], &[1], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        check(&[&[1]], &[], [0.0; 6]);
        check(&[&[1]], &[2, 3], [0.0; 6]);
        check(&[&[1]], &[2, 3, 1], [0.0, 1.0, 1.0, 0.5, 1.0 / 3.0, 1.0]);
        check(&[&[1]], &[2, 3, 4, 5, 6, 7, 1], [0.0, 0.0, 1.0, 1.0 / 3.0, 1.0 / 7.0, 1.0]);
        check(&[&[1]], &[2, 3, 4, 5, 6, 7, 8, 9, 10, 1], [0.0, 0.0, 1.0, 0.289_064_8, 0.1, 1.0]);
        // The eleventh does not count.
        check(&[&[1]], &[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1], [0.0; 6]);
        // Two wanted, at ranks 1 and 3: 1.5 of an ideal 1.6309298.
        check(&[&[1], &[2]], &[1, 3, 2], [0.5, 1.0, 1.0, 0.919_720_8, 1.0, 1.0]);
        // One of two: 1 of 1.6309298.
        check(&[&[1], &[2]], &[2, 3], [0.5, 0.5, 0.5, 0.613_147_2, 1.0, 0.0]);
    }

    #[test]
    fn an_alternative_meets_a_slot_once() {
        check(&[&[1, 5]], &[5], [1.0; 6]);
        // The second of two that are equally right adds nothing.
        check(&[&[1, 5], &[2]], &[1, 5], [0.5, 0.5, 0.5, 0.613_147_2, 1.0, 0.0]);
        // 2 is right for both: it meets its own slot, and 1 the other.
        check(&[&[1, 2], &[2]], &[2, 1], [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn the_ideal_of_many_slots_is_ten_of_them() {
        let slots: Vec<Vec<u32>> = (0..12).map(|tool| vec![tool]).collect();
        let slots: Vec<&[u32]> = slots.iter().map(Vec::as_slice).collect();
        let quality = judged(&slots, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert!((quality.ndcg_at_10 - 1.0).abs() < 1e-9, "{quality:?}");
        assert!((quality.recall_at_10 - 10.0 / 12.0).abs() < 1e-9, "{quality:?}");
        assert_eq!(quality.complete_at_10, 0.0);
    }

    #[test]
    fn the_mean_is_over_requests() {
        let mean = Quality::mean(&[judged(&[&[1]], &[1]), judged(&[&[1]], &[2, 3, 1])]);
        assert!((mean.ndcg_at_10 - 0.75).abs() < 1e-9 && (mean.mrr - 2.0 / 3.0).abs() < 1e-9, "{mean:?}");
        assert_eq!(Quality::mean(&[]), Quality::default());
    }
}
