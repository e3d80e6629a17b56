//! Reports, from memory and store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use gateway_core::{Result, ToolEntry, Usage, UsageChunk, UsageEvent, UsageQuery, UsageReport, UsageStore};
use tokio::sync::broadcast;

use super::{UsageRecorder, blocking};
use crate::chunk::{self, Unreadable};
use crate::report::{Sum, Window};
use crate::time::{MINUTES_PER_HOUR, at_hour, minute_of};

/// So many hours are read from the store at once: all of a year may be more than is well held in memory.
const HOURS_AT_ONCE: u64 = 7 * 24;

#[async_trait]
impl Usage for UsageRecorder {
    async fn report(&self, query: &UsageQuery, tools: &[ToolEntry]) -> Result<UsageReport> {
        let window = Window::of((self.clock)(), query.window, &self.config)?;
        self.settle();
        let (own, known) = {
            let ledger = self.ledger();
            let own = if window.is_fine() { ledger.minutes(window.units()) } else { ledger.hours(window.units()) };
            (own, ledger.hour_numbers())
        };
        let mut sum = Sum::new(window, self.config.limits);
        let mut sum = blocking(move || {
            own.iter().for_each(|(unit, slot)| sum.add(*unit, &slot.period()));
            sum
        })
        .await?;
        if let Some(store) = &self.store {
            sum = self.add_stored(sum, &known, store).await?;
        }
        let (query, tools) = (query.clone(), tools.to_vec());
        blocking(move || sum.report(&query, &tools)).await
    }

    fn live(&self) -> broadcast::Receiver<Arc<UsageEvent>> {
        self.live.subscribe()
    }
}

impl UsageRecorder {
    /// Adds what the store has of others, and of this process where that is not among the `known` hours.
    async fn add_stored(&self, mut sum: Sum, known: &BTreeSet<u64>, store: &Arc<dyn UsageStore>) -> Result<Sum> {
        let _reading = self.reading.lock().await;
        let hours = sum.window().hours();
        let mut from = hours.start;
        while from < hours.end {
            let until = (from + HOURS_AT_ONCE).min(hours.end);
            let mut chunks = store.load(at_hour(from), at_hour(until)).await?;
            chunks.retain(|chunk| chunk.source != self.source || !known.contains(&hour_of(chunk)));
            let (added, unreadable) = blocking(move || add_chunks(sum, chunks)).await?;
            sum = added;
            // Once: whoever asks for reports again and again must not fill the log.
            if let Some((chunk, why)) = unreadable
                && !self.warned_of_chunk.swap(true, Relaxed)
            {
                let (source, begins_at) = (chunk.source, chunk.begins_at);
                tracing::warn!(source, ?begins_at, "usage counts in the store are left out of reports: {why}");
            }
            from = until;
        }
        Ok(sum)
    }
}

/// Adds chunks; returns one that cannot be read, too, where there is one.
fn add_chunks(mut sum: Sum, chunks: Vec<UsageChunk>) -> (Sum, Option<(UsageChunk, Unreadable)>) {
    let is_fine = sum.window().is_fine();
    let mut unreadable = None;
    for chunk in chunks {
        let hour = hour_of(&chunk);
        let periods = if is_fine {
            chunk::read_minutes(&chunk.data, hour)
        } else {
            chunk::read_hour(&chunk.data).map(|period| vec![(hour, period)])
        };
        match periods {
            Ok(periods) => periods.iter().for_each(|(unit, period)| sum.add(*unit, period)),
            Err(why) => unreadable = Some((chunk, why)),
        }
    }
    (sum, unreadable)
}

fn hour_of(chunk: &UsageChunk) -> u64 {
    minute_of(chunk.begins_at) / MINUTES_PER_HOUR
}
