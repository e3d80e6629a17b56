//! What this process knows of a session's record in the store, and when it is to be looked at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::record::Wishes;

/// What another process did is looked for this often, where the store does not tell.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The record of a session in use is renewed this often at least and at most: seldom enough that ten thousand of them are
/// some hundred writes a second. Where it ends soon, more often.
const RENEW_EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// What is known of a session's record.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Its revision when it was last read or written; 0 where there is none.
    revision: AtomicU64,
    /// Its revision when this process last wrote it.
    own_revision: AtomicU64,
    /// What its client wished when it was last read or written.
    base: Mutex<Wishes>,
    /// Held while session and record are brought together.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The session's age in milliseconds when its record was last written, or that was tried.
    written_ms: AtomicU64,
    /// The same for looking at it.
    looked_ms: AtomicU64,
    /// Its client wishes something else by now.
    pub(crate) is_outdated: AtomicBool,
    /// Another process may have written it.
    pub(crate) is_changed: AtomicBool,
    /// It waits to be attended to.
    pub(crate) is_queued: AtomicBool,
    /// Its resources are being watched anew.
    pub(crate) is_watching: AtomicBool,
    /// It is too long for a store.
    pub(crate) is_too_long: AtomicBool,
}

/// How a session is used, which says when its record is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The session's age in milliseconds.
    pub(crate) age_ms: u64,
    /// Its age when it was last used.
    pub(crate) last_used_ms: u64,
    /// Somebody listens to it, or a request is under way.
    pub(crate) is_held: bool,
    /// How long it lives without use.
    pub(crate) ttl: Duration,
}

impl Kept {
    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Relaxed)
    }

    /// What its client wished when the record was last read or written.
    pub(crate) fn base(&self) -> Wishes {
        self.lock().clone()
    }

    /// It has this revision and says this.
    pub(crate) fn set(&self, revision: u64, wishes: Wishes) {
        *self.lock() = wishes;
        self.revision.store(revision, Relaxed);
    }

    /// This process has written it: it has this revision and says this.
    pub(crate) fn set_own(&self, revision: u64, wishes: Wishes) {
        self.set(revision, wishes);
        self.own_revision.store(revision, Relaxed);
    }

    /// Whether this process wrote it last, as far as it knows.
    pub(crate) fn is_own(&self) -> bool {
        self.own_revision.load(Relaxed) == self.revision()
    }

    /// It is being written; whatever changes from here on is for the next time.
    pub(crate) fn begin_write(&self, age_ms: u64) {
        self.is_outdated.store(false, Relaxed);
        self.written_ms.store(age_ms, Relaxed);
    }

    /// It is being looked at.
    pub(crate) fn begin_look(&self, age_ms: u64) {
        self.is_changed.store(false, Relaxed);
        self.looked_ms.store(age_ms, Relaxed);
    }

    /// Whether it should be written.
    pub(crate) fn should_write(&self, now: Use) -> bool {
        let Use { age_ms, last_used_ms, is_held, ttl } = now;
        let written_ms = self.written_ms.load(Relaxed);
        let since = Duration::from_millis(age_ms.saturating_sub(written_ms));
        let is_used = last_used_ms > written_ms || self.revision() == 0;
        !self.is_too_long.load(Relaxed)
            && (self.is_outdated.load(Relaxed) || is_used && since >= renew_every(ttl) || is_held && since >= ttl / 4)
    }

    /// Whether it should be looked at. Where the store tells of no changes, what is used or somebody waits for is looked
    /// at now and then.
    pub(crate) fn should_look(&self, now: Use, store_tells: bool) -> bool {
        let looked_ms = self.looked_ms.load(Relaxed);
        let since = Duration::from_millis(now.age_ms.saturating_sub(looked_ms));
        let is_in_use = now.is_held || now.last_used_ms > looked_ms;
        self.is_changed.load(Relaxed) || !store_tells && is_in_use && since >= LOOK_EVERY
    }

    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the record of a session is renewed that lives for `ttl` without use.
fn renew_every(ttl: Duration) -> Duration {
    (ttl / 100).clamp(RENEW_EVERY.0, RENEW_EVERY.1).min(ttl / 4)
}
