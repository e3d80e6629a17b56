//! From periods to a report.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use gateway_core::{
    Error, ErrorKind, QueryCount, Result, SearchLed, SearchUsage, ToolEntry, UsageGroup, UsagePoint, UsageQuery,
    UsageReport, UsageRow,
};

use crate::config::{UsageConfig, UsageLimits};
use crate::period::{Period, Rows, Searches, tool_key};
use crate::tally::Tally;
use crate::time::{MINUTES_PER_HOUR, at_minute, minute_of};

/// Most points of a series.
const MAX_POINTS: u64 = 120;

/// The minutes or hours of a report, cut into equal steps. It ends with the one in which it is asked for, and begins at or before
/// the moment that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// How long the units are that it is made of, in minutes.
    unit: u64,
    first: u64,
    points: u64,
    /// Units in one point.
    step: u64,
}

impl Window {
    /// The window of this length that ends at `now`.
    pub(crate) fn of(now: SystemTime, length: Duration, config: &UsageConfig) -> Result<Self> {
        if length.is_zero() || length > config.retention() {
            let hours = config.retention_hours.max(1);
            let message =
                format!("`window` is {} s; it must be 1 s to {hours} h, for which usage is kept", length.as_secs());
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let is_fine = length <= Duration::from_secs(config.fine_hours.max(1) * MINUTES_PER_HOUR * 60);
        let unit = if is_fine { 1 } else { MINUTES_PER_HOUR };
        let begin = minute_of(now.checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH)) / unit;
        let end = minute_of(now) / unit + 1;
        let step = (end - begin).div_ceil(MAX_POINTS).max(1);
        let points = (end - begin).div_ceil(step).max(1);
        Ok(Self { unit, first: end.saturating_sub(points * step), points, step })
    }

    /// Whether it is made of minutes, and not of hours.
    pub(crate) fn is_fine(&self) -> bool {
        self.unit == 1
    }

    /// The numbers of its minutes, or of its hours.
    pub(crate) fn units(&self) -> Range<u64> {
        self.first..self.first + self.points * self.step
    }

    /// The numbers of the hours that it touches.
    pub(crate) fn hours(&self) -> Range<u64> {
        let Range { start, end } = self.units();
        start * self.unit / MINUTES_PER_HOUR..(end * self.unit).div_ceil(MINUTES_PER_HOUR)
    }

    fn at(&self, unit: u64) -> SystemTime {
        at_minute(unit * self.unit)
    }
}

/// What was used in a window, so far as it has been added up.
#[derive(Debug)]
pub(crate) struct Sum {
    window: Window,
    limits: UsageLimits,
    whole: Period,
    series: Vec<(Tally, u64)>,
}

impl Sum {
    pub(crate) fn new(window: Window, limits: UsageLimits) -> Self {
        let points = usize::try_from(window.points).unwrap_or(0);
        Self { window, limits, whole: Period::default(), series: vec![(Tally::default(), 0); points] }
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// Adds a minute or an hour; nothing, where it is outside of the window.
    pub(crate) fn add(&mut self, unit: u64, period: &Period) {
        if !self.window.units().contains(&unit) {
            return;
        }
        self.whole.merge(period, &self.limits);
        let point = usize::try_from((unit - self.window.first) / self.window.step).ok();
        if let Some((tally, searches)) = point.and_then(|point| self.series.get_mut(point)) {
            tally.merge(&period.total);
            *searches = searches.saturating_add(period.searches.total);
        }
    }

    /// The report. `tools` are those that the asker sees.
    pub(crate) fn report(self, query: &UsageQuery, tools: &[ToolEntry]) -> UsageReport {
        let Self { window, whole, series, .. } = self;
        let unused: BTreeSet<String> = tools
            .iter()
            .map(|entry| tool_key(&entry.server, entry.tool.name()))
            .filter(|key| whole.tools.get(key).is_none())
            .collect();
        let Range { start, end } = window.units();
        let points = (start..end).step_by(usize::try_from(window.step).unwrap_or(usize::MAX)).zip(series);
        UsageReport {
            from: window.at(start),
            until: window.at(end),
            total: whole.total.counts(),
            series: points
                .map(|(unit, (tally, searches))| UsagePoint { at: window.at(unit), counts: tally.counts(), searches })
                .collect(),
            groups: most(whole.rows(query.group), query.limit, |tally| tally.calls),
            failing: most(&whole.tools, query.limit, Tally::failures),
            slow: slowest(whole.rows(UsageGroup::Tool), query.limit),
            unused_total: unused.len(),
            unused: unused.into_iter().take(query.limit).collect(),
            searches: searches(&whole.searches, query.limit),
        }
    }
}

/// The rows with most of something, those with nothing of it left out.
fn most(rows: &Rows, limit: usize, number: impl Fn(&Tally) -> u64) -> Vec<UsageRow> {
    let mut found: Vec<_> = rows.iter().filter(|(_, tally)| number(tally) > 0).collect();
    found.sort_unstable_by(|(key, tally), (other_key, other)| {
        number(other).cmp(&number(tally)).then(key.cmp(other_key))
    });
    found.into_iter().take(limit).map(|(key, tally)| row(key, tally)).collect()
}

fn slowest(rows: &Rows, limit: usize) -> Vec<UsageRow> {
    let mut found: Vec<_> = rows.iter().map(|(key, tally)| (tally.durations.latency().p95_ms, key, tally)).collect();
    found
        .sort_unstable_by(|(p95, key, _), (other_p95, other_key, _)| other_p95.total_cmp(p95).then(key.cmp(other_key)));
    found.into_iter().take(limit).map(|(_, key, tally)| row(key, tally)).collect()
}

fn row(key: &str, tally: &Tally) -> UsageRow {
    UsageRow { key: key.to_owned(), counts: tally.counts() }
}

fn searches(searches: &Searches, limit: usize) -> SearchUsage {
    let mut unmatched: Vec<_> = searches.unmatched.iter().collect();
    unmatched.sort_unstable_by(|(query, count), (other_query, other)| other.cmp(count).then(query.cmp(other_query)));
    let mut led: Vec<_> = searches.led_to.iter().collect();
    led.sort_unstable_by(|(led, count), (other_led, other)| other.cmp(count).then(led.cmp(other_led)));
    SearchUsage {
        total: searches.total,
        without_match: searches.without_match,
        unmatched_queries: unmatched
            .into_iter()
            .take(limit)
            .map(|(query, &count)| QueryCount { query: query.to_string(), count })
            .collect(),
        led_to: led
            .into_iter()
            .take(limit)
            .map(|((query, tool), &count)| SearchLed { query: query.to_string(), tool: tool.to_string(), count })
            .collect(),
        latency: searches.durations.latency(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(now_s: u64, length_s: u64) -> Result<Window> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now_s);
        Window::of(now, Duration::from_secs(length_s), &UsageConfig::default())
    }

    #[test]
    fn windows_reach_back_far_enough_and_end_now() {
        const NOW: u64 = 1_764_000_017;
        for length in [1, 59, 60, 900, 3600, 7199, 3 * 3600, 3 * 3600 + 1, 86_400, 7 * 86_400, 30 * 86_400] {
            let window = window(NOW, length).expect("it is kept for so long");
            let unit = window.unit * 60;
            let units = window.units();
            assert!(units.start * unit <= NOW - length, "{length}: begins late");
            assert!(units.end * unit > NOW && units.end * unit <= NOW + unit, "{length}: ends at another time");
            assert!(units.start * unit + 2 * window.step * unit > NOW - length, "{length}: begins much too early");
            assert!((1..=MAX_POINTS).contains(&window.points), "{length}: {} points", window.points);
            assert_eq!(window.is_fine(), length <= 3 * 3600);
            let hours = window.hours();
            assert!(hours.start * 3600 <= units.start * unit && hours.end * 3600 >= units.end * unit);
        }
        for length in [0, 30 * 86_400 + 1, u64::MAX] {
            let error = window(NOW, length).expect_err("no such window");
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains("720 h"), "{error}");
        }
        // Where the clock is at its beginning.
        assert_eq!(window(5, 3600).expect("a window").units(), 0..1);
    }
}
