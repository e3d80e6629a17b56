//! A list that forgets its oldest entries.

use std::collections::VecDeque;

/// Entries with their sizes, the oldest first; those that are too many are given up.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    entries: VecDeque<(T, usize)>,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

impl<T> Bounded<T> {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, max_entries, max_bytes }
    }

    /// Appends an entry, and returns those that had to go for it; it may be among them.
    pub(crate) fn push(&mut self, entry: T, bytes: usize) -> Vec<T> {
        self.entries.push_back((entry, bytes));
        self.bytes += bytes;
        let mut gone = Vec::new();
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some(oldest) = self.pop_oldest_if(|_| true) else { break };
            gone.push(oldest);
        }
        gone
    }

    /// Takes the oldest entry where `wanted`.
    pub(crate) fn pop_oldest_if(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        self.entries.front().filter(|(entry, _)| wanted(entry))?;
        let (entry, bytes) = self.entries.pop_front()?;
        self.bytes -= bytes;
        Some(entry)
    }

    /// Takes all entries that are `wanted`, the oldest first.
    pub(crate) fn take(&mut self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let (taken, kept) = std::mem::take(&mut self.entries).into_iter().partition(|(entry, _)| wanted(entry));
        self.entries = kept;
        let taken: VecDeque<(T, usize)> = taken;
        self.bytes -= taken.iter().map(|(_, bytes)| bytes).sum::<usize>();
        taken.into_iter().map(|(entry, _)| entry).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(entry, _)| entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_too_big_ones() {
        let mut list = Bounded::new(3, 100);
        for number in 1..=3 {
            assert!(list.push(number, 10).is_empty());
        }
        assert_eq!(list.push(4, 10), [1_u8]);
        assert_eq!(list.push(5, 85), [2, 3]);
        assert_eq!(list.take(|number| *number == 4), [4]);
        assert!(list.push(6, 15).is_empty());
        assert_eq!(list.push(7, 101), [5, 6, 7]);
        assert_eq!((list.len(), list.bytes), (0, 0));
    }
}
