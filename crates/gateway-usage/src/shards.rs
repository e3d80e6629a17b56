//! Where a call is counted first.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::period::Period;

/// Threads are spread over so many locks.
const SHARDS: usize = 8;

/// What was counted lately, by whichever thread.
#[derive(Debug, Default)]
pub(crate) struct Shards([Mutex<Shard>; SHARDS]);

#[derive(Debug, Default)]
struct Shard {
    /// Calls and searches in all parts.
    counted: usize,
    /// The newest minute is the last one.
    parts: Vec<Part>,
    scratch: String,
}

/// What was counted in a minute, on its way to the ledger.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) minute: u64,
    pub(crate) period: Period,
}

impl Shards {
    /// Adds what `count` counts in `minute`; it gets a text to write in as well. Returns how much the shard holds now.
    pub(crate) fn add(&self, minute: u64, count: impl FnOnce(&mut Period, &mut String)) -> usize {
        let mut shard = lock(self.own());
        let Shard { counted, parts, scratch } = &mut *shard;
        if parts.last().is_none_or(|part| part.minute != minute) {
            parts.push(Part { minute, period: Period::default() });
        }
        if let Some(part) = parts.last_mut() {
            count(&mut part.period, scratch);
        }
        *counted += 1;
        *counted
    }

    /// Empties this thread's shard.
    pub(crate) fn take_own(&self) -> Vec<Part> {
        take(self.own())
    }

    /// Empties all shards.
    pub(crate) fn take_all(&self) -> impl Iterator<Item = Part> {
        self.0.iter().flat_map(take)
    }

    fn own(&self) -> &Mutex<Shard> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static OWN: usize = NEXT.fetch_add(1, Relaxed) % SHARDS);
        &self.0[OWN.with(|own| *own)]
    }
}

fn take(shard: &Mutex<Shard>) -> Vec<Part> {
    let mut shard = lock(shard);
    shard.counted = 0;
    std::mem::take(&mut shard.parts)
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Numbers are added one by one, so those of a call that panicked are there or not.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
