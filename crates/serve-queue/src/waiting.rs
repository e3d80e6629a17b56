//! Jobs that are claimed and wait for their turn.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gateway_core::Priority;

/// Things that wait: the most urgent first, of those the oldest.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    by_turn: BTreeMap<(Reverse<Priority>, u64), T>,
    count: u64,
}

impl<T> Waiting<T> {
    pub(crate) fn new() -> Self {
        Self { by_turn: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn push(&mut self, priority: Priority, thing: T) {
        self.by_turn.insert((Reverse(priority), self.count), thing);
        self.count += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.by_turn.pop_first().map(|(_, thing)| thing)
    }

    /// Takes the one that has waited longest without having been urgent: the last to be given back is the next one.
    pub(crate) fn pop_last(&mut self) -> Option<T> {
        self.by_turn.pop_last().map(|(_, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_first_then_the_oldest() {
        let mut waiting = Waiting::new();
        let pushed = [(Priority::Normal, 1), (Priority::Low, 2), (Priority::Urgent, 3), (Priority::Normal, 4)];
        for (priority, number) in pushed {
            waiting.push(priority, number);
        }
        assert_eq!(waiting.pop_last(), Some(2));
        let rest: Vec<i32> = std::iter::from_fn(|| waiting.pop()).collect();
        assert_eq!(rest, [3, 1, 4]);
    }
}
