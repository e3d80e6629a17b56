//! Counts, reports and keeps.

mod reading;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

use gateway_core::{
    Context, Error, ErrorKind, Feedback, Layer, Result, ToolSearch, ToolUse, UsageChunk, UsageEvent, UsageEventKind,
    UsageStore,
};
use tokio::time::{self, MissedTickBehavior};
use uuid::Uuid;

use crate::config::UsageConfig;
use crate::layer::UsageLayer;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::period::{Period, counted_query};
use crate::shards::Shards;
use crate::time::{MINUTES_PER_HOUR, at_hour, minute_of};

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// So many calls and searches go from a shard to the ledger at once: few enough that a shard stays small, and enough that the
/// ledger's share of each is.
const FULL: usize = 256;

/// Where the ledger is busy, a shard may grow to this.
const OVERFULL: usize = 16 * FULL;

/// Counts what is used, reports it, and keeps it in a store where there is one.
///
/// Put it round every call with [`layer`](Self::layer), let it hear of searches as a [`Feedback`], and let
/// [`tend`](Self::tend) run as long as it counts.
pub struct UsageRecorder {
    config: UsageConfig,
    clock: Clock,
    /// This process, as the store knows it.
    source: String,
    shards: Shards,
    ledger: Mutex<Ledger>,
    live: Live,
    store: Option<Arc<dyn UsageStore>>,
    /// Held while chunks are written: an older one must not be written over a newer one.
    writing: tokio::sync::Mutex<()>,
    /// Held while chunks are read: many reports at once must not take many times the memory.
    reading: tokio::sync::Mutex<()>,
    /// The hour in which the store last forgot.
    forgot: AtomicU64,
    warned_of_chunk: AtomicBool,
}

impl UsageRecorder {
    /// One that has counted nothing.
    pub fn new(config: UsageConfig) -> Self {
        Self {
            clock: Arc::new(SystemTime::now),
            source: Uuid::new_v4().simple().to_string(),
            shards: Shards::default(),
            ledger: Mutex::new(Ledger::new(&config)),
            live: Live::new(config.live_capacity),
            store: None,
            writing: tokio::sync::Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            forgot: AtomicU64::new(0),
            warned_of_chunk: AtomicBool::new(false),
            config,
        }
    }

    /// With a store in which counts outlive the process, and in which they meet those of others.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn UsageStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The layer that counts calls: the outermost one, so that it sees them all as their callers do.
    pub fn layer(self: &Arc<Self>) -> Arc<dyn Layer> {
        Arc::new(UsageLayer::new(Arc::clone(self)))
    }

    /// Keeps counts in order, and writes them to the store again and again. Never ends: drop it, then
    /// [`flush`](Self::flush).
    pub async fn tend(&self) {
        let mut clock = time::interval(Duration::from_millis(self.config.flush_every_ms.max(1)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = false;
        loop {
            clock.tick().await;
            match self.flush().await {
                Ok(()) if away => {
                    away = false;
                    tracing::info!("usage counts reach their store again");
                }
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(?error, "usage counts cannot be written to their store; they wait in memory");
                }
                _ => {}
            }
        }
    }

    /// Writes all that was counted so far to the store, where there is one.
    ///
    /// # Errors
    /// Those of the store. What was not written stays in memory for the next time.
    pub async fn flush(&self) -> Result<()> {
        let now = self.settle();
        let Some(store) = &self.store else { return Ok(()) };
        let _writing = self.writing.lock().await;
        let mut from = 0;
        loop {
            // Let go of before the store is asked.
            let unkept = self.ledger().unkept(from);
            let Some(unkept) = unkept else { break };
            let (hour, changes, with_queries) = (unkept.hour, unkept.changes, self.config.store_queries);
            let data = blocking(move || unkept.chunk(with_queries)).await?;
            let chunk = UsageChunk { source: self.source.clone(), begins_at: at_hour(hour), data: data.into() };
            store.keep(chunk).await?;
            self.ledger().kept(hour, changes);
            from = hour + 1;
        }
        let hour = now / MINUTES_PER_HOUR;
        if self.forgot.load(Relaxed) != hour {
            store.forget(at_hour(hour.saturating_sub(self.config.retention_hours.max(1)))).await?;
            self.forgot.store(hour, Relaxed);
        }
        Ok(())
    }

    /// Counts something in this minute.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Period, &mut String)) {
        let counted = self.shards.add(self.minute(), count);
        if counted < FULL {
            return;
        }
        let mut ledger = match self.ledger.try_lock() {
            Ok(ledger) => ledger,
            Err(TryLockError::WouldBlock) if counted < OVERFULL => return,
            Err(TryLockError::WouldBlock) => self.ledger(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        for part in self.shards.take_own() {
            ledger.add(&part);
        }
    }

    pub(crate) fn config(&self) -> &UsageConfig {
        &self.config
    }

    /// Tells who listens live of what `context` did; `write` says what that was, and is asked only where somebody listens.
    pub(crate) fn tell(&self, context: &Context, write: impl FnOnce() -> Told) {
        self.live.tell(|| {
            let Told { what, outcome, error, took } = write();
            UsageEvent {
                at: (self.clock)(),
                request_id: context.request_id().to_owned(),
                door: context.door(),
                caller: context.principal().id.clone(),
                session_id: context.session_id().map(str::to_owned),
                what,
                outcome,
                error,
                took,
            }
        });
    }

    fn minute(&self) -> u64 {
        minute_of((self.clock)())
    }

    /// Adds all shards to the ledger and tidies it. Returns the minute that it is.
    fn settle(&self) -> u64 {
        let now = self.minute();
        let mut ledger = self.ledger();
        for part in self.shards.take_all() {
            ledger.add(&part);
        }
        ledger.tidy(now);
        now
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Whatever panicked in between, its numbers are there or not.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a live event says beside who and when.
pub(crate) struct Told {
    pub(crate) what: UsageEventKind,
    pub(crate) outcome: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) took: Duration,
}

impl Feedback for UsageRecorder {
    fn used(&self, used: &ToolUse<'_>) {
        let query = if self.config.queries { counted_query(used.query) } else { String::new() };
        let most = self.config.limits.queries;
        self.count(|period, _| period.searches.led(&query, used.server, used.tool, most));
    }

    fn searched(&self, search: &ToolSearch<'_>) {
        let found = !search.matches.is_empty();
        let query = (!found && self.config.queries).then(|| counted_query(search.query));
        let took_us = microseconds(search.took);
        let most = self.config.limits.queries;
        self.count(|period, _| period.searches.add(found, took_us, query.as_deref(), most));
        self.tell(search.context, || Told {
            what: UsageEventKind::Search {
                query: search.query.to_owned(),
                matches: search.matches.len(),
                best_score: search.matches.first().map_or(0.0, |best| best.score),
            },
            outcome: "ok",
            error: None,
            took: search.took,
        });
    }
}

impl fmt::Debug for UsageRecorder {
    /// Without counts: the words of searches are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageRecorder")
            .field("source", &self.source)
            .field("has_store", &self.store.is_some())
            .finish_non_exhaustive()
    }
}

/// Runs `work`, which may take some milliseconds, where it holds up no call.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(ErrorKind::Internal, "adding up usage broke off").with_source(panic))
}

pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
