//! How many of the remembered queries have each term.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::terms::Term;

/// Counters. Terms that share one are both taken for commoner than they are, which does little harm; and whatever
/// callers search for, the room is the same.
const COUNTERS: usize = 1 << 16;

/// Counts of terms, each nearly right, in a fixed room and without a lock: the weight of a term may be a little off
/// while others count.
#[derive(Debug)]
pub(crate) struct Spread {
    counters: Box<[AtomicU32]>,
    queries: AtomicU32,
}

impl Spread {
    pub(crate) fn new() -> Self {
        Self { counters: (0..COUNTERS).map(|_| AtomicU32::new(0)).collect(), queries: AtomicU32::new(0) }
    }

    /// Counts a query in.
    pub(crate) fn add(&self, terms: &[Term]) {
        self.queries.fetch_add(1, Ordering::Relaxed);
        for term in terms {
            self.counter(*term).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a query out that was counted in.
    pub(crate) fn remove(&self, terms: &[Term]) {
        self.queries.fetch_sub(1, Ordering::Relaxed);
        for term in terms {
            self.counter(*term).fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many queries are counted in.
    pub(crate) fn queries(&self) -> u32 {
        self.queries.load(Ordering::Relaxed)
    }

    /// The square of a term's inverse document frequency, the queries being the documents: what a term that two
    /// queries share adds to their product.
    pub(crate) fn weight(&self, term: Term) -> f32 {
        let having = self.counter(term).load(Ordering::Relaxed) as f32;
        let rarity = (1.0 + (self.queries() as f32 + 1.0) / (having + 0.5)).ln();
        rarity * rarity
    }

    fn counter(&self, term: Term) -> &AtomicU32 {
        &self.counters[term as usize % COUNTERS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rarer_term_weighs_more_and_what_is_taken_out_is_gone() {
        let spread = Spread::new();
        spread.add(&[1, 2]);
        let before = spread.weight(1);
        spread.add(&[1, 3]);
        assert!(spread.weight(1) < spread.weight(2) && spread.weight(2) < spread.weight(9));
        spread.remove(&[1, 3]);
        assert_eq!(spread.weight(1), before);
    }
}
