//! What was counted in one period: a minute, an hour, a shard's last calls, a report's window.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use gateway_core::UsageGroup;
use serde::{Deserialize, Serialize};

use crate::config::UsageLimits;
use crate::durations::Durations;
use crate::tally::{Measured, Tally};

/// The key of all that are not kept apart.
pub(crate) const OTHER: &str = "other";

/// A row's durations have two significant digits up to so many buckets, and one beyond.
const ROW_BUCKETS: usize = 256;

/// Longer names and queries are cut, in bytes.
const MAX_KEY: usize = 256;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) total: Tally,
    pub(crate) tools: Rows,
    servers: Rows,
    sessions: Rows,
    callers: Rows,
    doors: Rows,
    pub(crate) searches: Searches,
}

/// Calls by one kind of key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rows(HashMap<Box<str>, Tally>);

/// Searches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Searches {
    pub(crate) total: u64,
    pub(crate) without_match: u64,
    pub(crate) durations: Durations,
    pub(crate) unmatched: HashMap<Box<str>, u64>,
    /// By query and `server/tool`.
    pub(crate) led_to: HashMap<(Box<str>, Box<str>), u64>,
}

/// What a call is counted under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    pub(crate) server: &'a str,
    pub(crate) tool: &'a str,
    /// Empty for the default session.
    pub(crate) session: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) door: &'a str,
}

impl Period {
    /// Adds one call. `scratch` is for writing a key in.
    pub(crate) fn call(&mut self, keys: &Keys<'_>, call: &Measured, limits: &UsageLimits, scratch: &mut String) {
        self.total.add(call);
        scratch.clear();
        write_tool_key(keys.server, keys.tool, scratch);
        for (rows, key, most) in [
            (&mut self.tools, scratch.as_str(), limits.tools),
            (&mut self.servers, keys.server, limits.servers),
            (&mut self.sessions, keys.session, limits.sessions),
            (&mut self.callers, keys.caller, limits.callers),
            // Written in the program, so there are few.
            (&mut self.doors, keys.door, usize::MAX),
        ] {
            rows.with(key, most, |tally| tally.add(call));
        }
    }

    /// Adds all of another one.
    pub(crate) fn merge(&mut self, other: &Self, limits: &UsageLimits) {
        self.total.merge(&other.total);
        for (rows, others, most) in [
            (&mut self.tools, &other.tools, limits.tools),
            (&mut self.servers, &other.servers, limits.servers),
            (&mut self.sessions, &other.sessions, limits.sessions),
            (&mut self.callers, &other.callers, limits.callers),
            (&mut self.doors, &other.doors, limits.callers),
        ] {
            rows.merge(others, most);
        }
        self.searches.merge(&other.searches, limits.queries);
    }

    /// The rows by one kind of key.
    pub(crate) fn rows(&self, group: UsageGroup) -> &Rows {
        match group {
            UsageGroup::Tool => &self.tools,
            UsageGroup::Server => &self.servers,
            UsageGroup::Session => &self.sessions,
            UsageGroup::Caller => &self.callers,
            UsageGroup::Door => &self.doors,
        }
    }
}

impl Rows {
    pub(crate) fn get(&self, key: &str) -> Option<&Tally> {
        self.0.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.0.iter().map(|(key, tally)| (&**key, tally))
    }

    /// How many there are beside [`OTHER`].
    fn kept_apart(&self) -> usize {
        self.0.len() - usize::from(self.0.contains_key(OTHER))
    }

    fn merge(&mut self, others: &Self, most: usize) {
        if self.0.len() + others.0.len() <= most {
            others.iter().for_each(|(key, tally)| self.with(key, most, |mine| mine.merge(tally)));
            return;
        }
        // Where there is no room for all, there is for those with the most calls.
        let mut ordered: Vec<_> = others.iter().collect();
        ordered.sort_unstable_by(|(key, tally), (other_key, other)| {
            other.calls.cmp(&tally.calls).then(key.cmp(other_key))
        });
        ordered.into_iter().for_each(|(key, tally)| self.with(key, most, |mine| mine.merge(tally)));
    }

    /// Calls `work` with the tally of `key`, or with that of [`OTHER`] where there are `most` already.
    fn with(&mut self, key: &str, most: usize, work: impl FnOnce(&mut Tally)) {
        let key = beginning(key);
        // Nearly always it is there, and is looked up once.
        if let Some(tally) = self.0.get_mut(key) {
            return tally.change(work);
        }
        let key = if self.kept_apart() < most { key } else { OTHER };
        self.0.entry(key.into()).or_default().change(work);
    }
}

impl Tally {
    /// Changes the tally of a row, which stays small.
    fn change(&mut self, work: impl FnOnce(&mut Self)) {
        work(self);
        self.durations.bound(ROW_BUCKETS);
    }
}

impl Searches {
    /// Adds a search. Its words are remembered where `unmatched` has them.
    pub(crate) fn add(&mut self, found: bool, took_us: u64, unmatched: Option<&str>, most: usize) {
        self.total += 1;
        self.without_match += u64::from(!found);
        self.durations.record(took_us);
        if let Some(query) = unmatched {
            count(&mut self.unmatched, query.into(), 1, most);
        }
    }

    /// Adds a tool that was run after a search.
    pub(crate) fn led(&mut self, query: &str, server: &str, tool: &str, most: usize) {
        let mut key = String::new();
        write_tool_key(server, tool, &mut key);
        let led = (Box::from(query), Box::from(beginning(&key)));
        count(&mut self.led_to, led, 1, most);
    }

    /// Without the words of searches.
    #[must_use]
    pub(crate) fn without_queries(&self) -> Self {
        let mut led_to = HashMap::<(Box<str>, Box<str>), u64>::new();
        for ((_, tool), times) in &self.led_to {
            *led_to.entry((Box::default(), tool.clone())).or_default() += times;
        }
        Self { unmatched: HashMap::new(), led_to, durations: self.durations.clone(), ..*self }
    }

    fn merge(&mut self, other: &Self, most: usize) {
        self.total = self.total.saturating_add(other.total);
        self.without_match = self.without_match.saturating_add(other.without_match);
        self.durations.merge(&other.durations);
        for (query, &times) in &other.unmatched {
            count(&mut self.unmatched, query.clone(), times, most);
        }
        for (led, &times) in &other.led_to {
            count(&mut self.led_to, led.clone(), times, most);
        }
    }
}

/// A tool's key: `server/tool`.
pub(crate) fn tool_key(server: &str, tool: &str) -> String {
    let mut key = String::with_capacity(server.len() + tool.len() + 1);
    write_tool_key(server, tool, &mut key);
    key.truncate(beginning(&key).len());
    key
}

/// A query as it is counted: in lower case, with single spaces, and not too long.
pub(crate) fn counted_query(query: &str) -> String {
    let mut counted = String::with_capacity(query.len().min(MAX_KEY));
    for word in query.split_whitespace() {
        if counted.len() >= MAX_KEY {
            break;
        }
        if !counted.is_empty() {
            counted.push(' ');
        }
        counted.extend(beginning(word).chars().flat_map(char::to_lowercase));
    }
    counted.truncate(beginning(&counted).len());
    counted
}

fn write_tool_key(server: &str, tool: &str, key: &mut String) {
    key.push_str(server);
    key.push('/');
    key.push_str(tool);
}

/// As much of a key as is kept.
fn beginning(key: &str) -> &str {
    let mut end = key.len().min(MAX_KEY);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    &key[..end]
}

/// Counts `key`, unless there are `most` others already.
fn count<K: Hash + Eq>(counts: &mut HashMap<K, u64>, key: K, times: u64, most: usize) {
    let room = counts.len() < most;
    match counts.entry(key) {
        Entry::Occupied(mut known) => *known.get_mut() = known.get().saturating_add(times),
        Entry::Vacant(new) if room => {
            new.insert(times);
        }
        Entry::Vacant(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Outcome;

    fn measured(took_us: u64) -> Measured {
        Measured { outcome: Outcome::Ok, request_bytes: 1, response_bytes: 2, characters: 8, took_us }
    }

    const LIMITS: UsageLimits = UsageLimits { tools: 3, servers: 2, sessions: 2, callers: 2, queries: 2 };

    fn period(names: &[&str]) -> Period {
        let mut period = Period::default();
        for name in names {
            let keys = Keys { server: name, tool: "t", session: name, caller: name, door: "rest" };
            period.call(&keys, &measured(5), &LIMITS, &mut String::new());
        }
        period
    }

    fn calls(rows: &Rows) -> Vec<(&str, u64)> {
        let mut calls: Vec<_> = rows.iter().map(|(key, tally)| (key, tally.calls)).collect();
        calls.sort_unstable();
        calls
    }

    #[test]
    fn what_is_beyond_the_limits_shares_other() {
        let counted = period(&["a", "b", "a", "c", "d", "e", "a"]);
        assert_eq!(calls(&counted.tools), [("a/t", 3), ("b/t", 1), ("c/t", 1), (OTHER, 2)]);
        for group in [UsageGroup::Server, UsageGroup::Session, UsageGroup::Caller] {
            assert_eq!(calls(counted.rows(group)), [("a", 3), ("b", 1), (OTHER, 3)]);
        }
        assert_eq!(calls(counted.rows(UsageGroup::Door)), [("rest", 7)]);
        assert_eq!(counted.total.calls, 7);

        let mut both = counted;
        both.merge(&period(&["f", "g", "a", "h"]), &LIMITS);
        assert_eq!(both.total.calls, 11);
        assert_eq!(calls(both.rows(UsageGroup::Server)).iter().map(|(_, calls)| calls).sum::<u64>(), 11);
        assert!(both.tools.iter().count() <= LIMITS.tools + 1 && both.servers.iter().count() <= LIMITS.servers + 1);
    }

    #[test]
    fn a_row_has_so_many_buckets_and_no_more() {
        let mut period = Period::default();
        let keys = Keys { server: "s", tool: "t", session: "", caller: "c", door: "" };
        for step in 0..40_000_u32 {
            let took_us = (1.0005_f64.powi(i32::try_from(step).expect("small")) * 8.0) as u64;
            period.call(&keys, &measured(took_us), &UsageLimits::default(), &mut String::new());
        }
        let row = postcard::to_allocvec(period.tools.get("s/t").expect("counted")).expect("plain data");
        let total = postcard::to_allocvec(&period.total).expect("plain data");
        assert!(row.len() < 2_500 && total.len() > 2 * row.len(), "{} and {}", row.len(), total.len());
    }

    #[global_allocator]
    static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

    /// A period, and the bytes that it has allocated.
    fn weighed(fill: impl FnOnce(&mut Period)) -> (Period, usize) {
        let before = MEMORY.current_usage();
        let mut period = Period::default();
        fill(&mut period);
        let bytes = MEMORY.current_usage() - before;
        (period, bytes)
    }

    /// `docs/observability.md` says how much.
    #[test]
    fn a_period_takes_no_more_memory_than_documented() {
        let limits = UsageLimits::default();
        let mut wide = Tally::default();
        for octave in 0..32 {
            for step in 0..64 {
                wide.add(&measured((1 << octave) + (1 << octave) * step / 64));
            }
        }
        let mut row = wide.clone();
        row.durations.bound(ROW_BUCKETS);
        let name = |number: usize| format!("{number:0256}");
        let worst = |period: &mut Period| {
            period.total.merge(&wide);
            for number in 0..2_100 {
                let rows = || Rows(HashMap::from([(name(number).into(), row.clone())]));
                let (tools, servers, sessions, callers) = (rows(), rows(), rows(), rows());
                period.merge(&Period { tools, servers, sessions, callers, ..Period::default() }, &limits);
                period.searches.add(false, 1, Some(&name(number)), limits.queries);
                period.searches.led(&name(number), "s", &name(number), limits.queries);
            }
        };
        let (period, bytes) = weighed(worst);
        assert_eq!(period.tools.iter().count(), limits.tools + 1);
        assert!(bytes < 14_000_000, "{bytes} bytes");

        let usual = |period: &mut Period| {
            let mut scratch = String::new();
            for call in 0..50_000_u64 {
                let (server, tool) = (format!("server-{}", call % 10), format!("get_thing_{}", call % 100));
                let keys = Keys { server: &server, tool: &tool, session: "", caller: "api-key", door: "mcp" };
                // Some 40 to 80 ms, and now and then more.
                let took_us = 40_000 + call * 7_919 % 40_000 + if call % 100 == 7 { call * 31 % 900_000 } else { 0 };
                period.call(&keys, &measured(took_us), &limits, &mut scratch);
            }
        };
        let (period, bytes) = weighed(usual);
        let packed = crate::chunk::pack(&period).len();
        assert!((150_000..300_000).contains(&bytes) && (30_000..60_000).contains(&packed), "{bytes}, packed {packed}");
    }

    #[test]
    fn queries_are_counted_by_their_words_and_not_without_end() {
        let mut searches = Searches::default();
        for query in ["Book  a\nFLIGHT", " book a flight ", "other", "one too many"] {
            searches.add(false, 3, Some(&counted_query(query)), 2);
        }
        searches.add(true, 3, None, 2);
        assert_eq!((searches.total, searches.without_match), (5, 4));
        assert_eq!(searches.unmatched.len(), 2);
        assert_eq!(searches.unmatched["book a flight"], 2);
        for (query, tool) in [("q", "t"), ("q", "u"), ("r", "t"), ("q", "t")] {
            searches.led(query, "s", tool, 2);
        }
        assert_eq!(searches.led_to[&("q".into(), "s/t".into())], 2);
        assert_eq!(searches.led_to.len(), 2);
        let silent = searches.without_queries();
        assert_eq!((silent.unmatched.len(), silent.led_to[&("".into(), "s/t".into())]), (0, 2));
        assert_eq!((silent.total, silent.without_match), (5, 4));
        let long = counted_query(&"é".repeat(100_000));
        assert!(long.len() <= MAX_KEY && long.chars().all(|letter| letter == 'é'));
        assert!(counted_query(&"ab ".repeat(100_000)).len() <= MAX_KEY);
    }

    #[test]
    fn long_names_are_cut_alike_everywhere() {
        let long = "é".repeat(500);
        let counted = {
            let mut period = Period::default();
            let keys = Keys { server: "s", tool: &long, session: "", caller: "c", door: "" };
            period.call(&keys, &measured(1), &LIMITS, &mut String::new());
            period
        };
        assert!(counted.tools.get(&tool_key("s", &long)).is_some());
        assert!(tool_key("s", &long).len() <= MAX_KEY);
    }
}
