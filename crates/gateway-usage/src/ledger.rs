//! What this process has counted: minutes of the last hours, hours of the last weeks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::chunk;
use crate::config::{UsageConfig, UsageLimits};
use crate::period::Period;
use crate::shards::Part;
use crate::time::MINUTES_PER_HOUR;

/// A window of `fine_hours` begins in the middle of a minute and is cut into equal steps: it reaches a little farther back.
const SPARE_MINUTES: u64 = 5;

/// A clock that was wrong for a while has left its counts in the future; they are borne for so long.
const FUTURE_HOURS: u64 = 24;

/// What was counted. Each part is in a minute and in an hour.
#[derive(Debug)]
pub(crate) struct Ledger {
    limits: UsageLimits,
    fine_minutes: u64,
    retention_hours: u64,
    max_bytes: usize,
    minutes: BTreeMap<u64, Slot>,
    hours: BTreeMap<u64, Hour>,
}

/// A period that is still counted in, or packed, since it is over.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Open(Box<Period>),
    Packed(Arc<[u8]>),
}

#[derive(Debug, Default)]
struct Hour {
    slot: Slot,
    /// How often it was changed.
    changes: u64,
    /// As many changes are in the store.
    kept: u64,
    /// Whether its minutes are told apart.
    has_minutes: bool,
}

/// An hour that the store does not have as it is now.
#[derive(Debug)]
pub(crate) struct Unkept {
    pub(crate) hour: u64,
    pub(crate) changes: u64,
    slot: Slot,
    minutes: Vec<(u64, Slot)>,
}

impl Ledger {
    pub(crate) fn new(config: &UsageConfig) -> Self {
        Self {
            limits: config.limits,
            fine_minutes: config.fine_hours.max(1) * MINUTES_PER_HOUR + SPARE_MINUTES,
            retention_hours: config.retention_hours.max(1),
            max_bytes: config.max_bytes,
            minutes: BTreeMap::new(),
            hours: BTreeMap::new(),
        }
    }

    /// Adds what was counted.
    pub(crate) fn add(&mut self, part: &Part) {
        let limits = self.limits;
        self.minutes.entry(part.minute).or_default().open().merge(&part.period, &limits);
        let hour = self.hours.entry(part.minute / MINUTES_PER_HOUR).or_default();
        hour.slot.open().merge(&part.period, &limits);
        hour.changes += 1;
        hour.has_minutes = true;
    }

    /// Packs what is over, and drops what is too old or too much.
    pub(crate) fn tidy(&mut self, now: u64) {
        let (hour_now, oldest) = (now / MINUTES_PER_HOUR, now.saturating_sub(self.fine_minutes));
        let future = now + FUTURE_HOURS * MINUTES_PER_HOUR;
        self.minutes.retain(|&minute, _| (oldest..=future).contains(&minute));
        let oldest_hour = hour_now.saturating_sub(self.retention_hours);
        self.hours.retain(|&hour, _| (oldest_hour..=future / MINUTES_PER_HOUR).contains(&hour));
        // A minute that has just ended may still be in somebody's shard.
        self.minutes.iter_mut().filter(|(minute, _)| **minute + 1 < now).for_each(|(_, slot)| slot.pack());
        for (&number, hour) in &mut self.hours {
            if number < hour_now {
                hour.slot.pack();
            }
            if hour.has_minutes && number < oldest / MINUTES_PER_HOUR {
                // To be written once more, without them.
                hour.has_minutes = false;
                hour.changes += 1;
            }
        }
        self.make_room();
    }

    fn make_room(&mut self) {
        let mut minutes: usize = self.minutes.values().map(Slot::bytes).sum();
        while minutes > self.max_bytes / 2 {
            let Some((_, slot)) = self.minutes.pop_first() else { break };
            minutes -= slot.bytes();
        }
        let mut all = minutes + self.hours.values().map(|hour| hour.slot.bytes()).sum::<usize>();
        while all > self.max_bytes {
            let Some((_, hour)) = self.hours.pop_first() else { break };
            if hour.changes != hour.kept {
                tracing::warn!("usage counts of an hour that no store has make room for newer ones");
            }
            all -= hour.slot.bytes();
        }
    }

    /// The minutes of a range.
    pub(crate) fn minutes(&self, range: Range<u64>) -> Vec<(u64, Slot)> {
        self.minutes.range(range).map(|(&minute, slot)| (minute, slot.clone())).collect()
    }

    /// The hours of a range.
    pub(crate) fn hours(&self, range: Range<u64>) -> Vec<(u64, Slot)> {
        self.hours.range(range).map(|(&number, hour)| (number, hour.slot.clone())).collect()
    }

    /// The numbers of all hours that are here.
    pub(crate) fn hour_numbers(&self) -> BTreeSet<u64> {
        self.hours.keys().copied().collect()
    }

    /// The first hour from `from` on that the store does not have as it is now.
    pub(crate) fn unkept(&self, from: u64) -> Option<Unkept> {
        let (&number, hour) = self.hours.range(from..).find(|(_, hour)| hour.kept != hour.changes)?;
        let begin = number * MINUTES_PER_HOUR;
        let minutes = if hour.has_minutes { self.minutes(begin..begin + MINUTES_PER_HOUR) } else { Vec::new() };
        Some(Unkept { hour: number, changes: hour.changes, slot: hour.slot.clone(), minutes })
    }

    /// Remembers that the store has an hour with so many changes.
    pub(crate) fn kept(&mut self, hour: u64, changes: u64) {
        if let Some(hour) = self.hours.get_mut(&hour) {
            hour.kept = changes;
        }
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.minutes.values().chain(self.hours.values().map(|hour| &hour.slot)).map(Slot::bytes).sum()
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::Open(Box::default())
    }
}

impl Slot {
    /// The period, unpacked.
    pub(crate) fn period(&self) -> Period {
        match self {
            Self::Open(period) => (**period).clone(),
            Self::Packed(bytes) => chunk::unpack(bytes).expect("packed by this process"),
        }
    }

    fn open(&mut self) -> &mut Period {
        if let Self::Packed(_) = self {
            *self = Self::Open(Box::new(self.period()));
        }
        match self {
            Self::Open(period) => period,
            Self::Packed(_) => unreachable!("it was just opened"),
        }
    }

    fn pack(&mut self) {
        if let Self::Open(period) = self {
            *self = Self::Packed(chunk::pack(period).into());
        }
    }

    /// What it takes once it is over.
    fn bytes(&self) -> usize {
        match self {
            Self::Open(_) => 0,
            Self::Packed(bytes) => bytes.len(),
        }
    }
}

impl Unkept {
    /// The chunk for the store.
    pub(crate) fn chunk(&self, with_queries: bool) -> Vec<u8> {
        let period = |slot: &Slot| {
            let mut period = slot.period();
            if !with_queries {
                period.searches = period.searches.without_queries();
            }
            period
        };
        let minutes: Vec<_> = self.minutes.iter().map(|(minute, slot)| (*minute, period(slot))).collect();
        chunk::write(&period(&self.slot), &minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Keys;
    use crate::tally::{Measured, Outcome};

    fn part(minute: u64, tools: usize) -> Part {
        let mut period = Period::default();
        for tool in 0..tools {
            let keys = Keys { server: "s", tool: &tool.to_string(), session: "", caller: "c", door: "rest" };
            let call = Measured {
                outcome: Outcome::Ok,
                request_bytes: 1,
                response_bytes: 1,
                characters: 2,
                took_us: minute + 100 * tool as u64,
            };
            period.call(&keys, &call, &UsageLimits::default(), &mut String::new());
        }
        Part { minute, period }
    }

    fn calls(slots: &[(u64, Slot)]) -> Vec<(u64, u64)> {
        slots.iter().map(|(unit, slot)| (*unit, slot.period().total.calls)).collect()
    }

    #[test]
    fn minutes_and_hours_agree_also_for_who_comes_late() {
        let mut ledger = Ledger::new(&UsageConfig::default());
        for minute in [600, 601, 661, 662] {
            ledger.add(&part(minute, 2));
        }
        ledger.tidy(670);
        assert!(ledger.minutes.values().all(|slot| matches!(slot, Slot::Packed(_))));
        ledger.add(&part(601, 1));
        assert_eq!(calls(&ledger.minutes(601..663)), [(601, 3), (661, 2), (662, 2)]);
        assert_eq!(calls(&ledger.hours(0..100)), [(10, 5), (11, 4)]);
        // Minutes go first, then hours.
        ledger.tidy(601 + 186);
        assert_eq!(calls(&ledger.minutes(0..10_000)), [(661, 2), (662, 2)]);
        ledger.tidy((10 + 720) * 60);
        assert_eq!(calls(&ledger.hours(0..10_000)), [(10, 5), (11, 4)]);
        ledger.tidy((11 + 720) * 60);
        assert_eq!(calls(&ledger.hours(0..10_000)), [(11, 4)]);
    }

    #[test]
    fn a_wrong_clock_leaves_nothing_for_ever() {
        let mut ledger = Ledger::new(&UsageConfig::default());
        ledger.add(&part(10_000_000, 1));
        ledger.add(&part(600, 1));
        ledger.tidy(600);
        assert_eq!(calls(&ledger.hours(0..u64::MAX)), [(10, 1)]);
        assert_eq!(calls(&ledger.minutes(0..u64::MAX)), [(600, 1)]);
    }

    #[test]
    fn what_is_over_takes_no_more_than_it_may() {
        let config = UsageConfig { max_bytes: 100_000, ..UsageConfig::default() };
        let mut ledger = Ledger::new(&config);
        for minute in 0..10 * 60 {
            ledger.add(&part(minute, 30));
            ledger.tidy(minute);
            assert!(ledger.bytes() <= config.max_bytes, "minute {minute}: {} bytes", ledger.bytes());
        }
        // The newest are there.
        assert!(ledger.bytes() > config.max_bytes / 2, "{} bytes", ledger.bytes());
        assert_eq!(calls(&ledger.minutes(590..600)).len(), 10);
        assert_eq!(calls(&ledger.hours(8..10)), [(8, 1800), (9, 1800)]);
    }

    #[test]
    fn hours_are_to_be_kept_until_they_are() {
        let mut ledger = Ledger::new(&UsageConfig::default());
        ledger.add(&part(600, 1));
        ledger.add(&part(660, 1));
        let first = ledger.unkept(0).expect("nothing was kept");
        assert_eq!((first.hour, first.minutes.len()), (10, 1));
        // It changes while it is written.
        ledger.add(&part(601, 1));
        ledger.kept(first.hour, first.changes);
        let again = ledger.unkept(0).expect("it has changed");
        assert_eq!((again.hour, again.minutes.len()), (10, 2));
        ledger.kept(again.hour, again.changes);
        let second = ledger.unkept(0).expect("the other hour");
        ledger.kept(second.hour, second.changes);
        assert!(ledger.unkept(0).is_none());
        // Once more, when its minutes are gone.
        ledger.tidy(600 + 300);
        let folded = ledger.unkept(0).expect("its minutes are gone");
        assert_eq!((folded.hour, folded.minutes.len()), (10, 0));
        assert!(chunk::read_hour(&folded.chunk(true)).is_ok());
    }
}
