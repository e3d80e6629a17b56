//! What the door has done.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the door has done since it was made, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDoorStats {
    /// Jobs claimed.
    pub taken: u64,
    /// Answers that went out, well or badly; those beside dead letters too.
    pub answered: u64,
    /// Those among them with the status `error`.
    pub failed: u64,
    /// Dead letters.
    pub dead: u64,
    /// Jobs whose request was under way or answered already.
    pub duplicates: u64,
    /// Calls whose outcome nobody knows: their gateway died, and they must not run twice. Among those that failed.
    pub unknown_outcomes: u64,
    /// Claims lost: their leases ended before they were settled.
    pub lost_leases: u64,
    /// Jobs given back because the gateway stopped.
    pub released: u64,
    /// Jobs claimed and not settled by now.
    pub in_hand: u64,
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub taken: Counter,
    pub answered: Counter,
    pub failed: Counter,
    pub dead: Counter,
    pub duplicates: Counter,
    pub unknown_outcomes: Counter,
    pub lost_leases: Counter,
    pub released: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn read(&self, in_hand: usize) -> QueueDoorStats {
        QueueDoorStats {
            taken: self.taken.get(),
            answered: self.answered.get(),
            failed: self.failed.get(),
            dead: self.dead.get(),
            duplicates: self.duplicates.get(),
            unknown_outcomes: self.unknown_outcomes.get(),
            lost_leases: self.lost_leases.get(),
            released: self.released.get(),
            in_hand: u64::try_from(in_hand).unwrap_or(u64::MAX),
        }
    }
}
