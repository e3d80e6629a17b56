//! Durations with quantiles, in little memory.

use std::sync::LazyLock;

use gateway_core::Latency;
use hdrhistogram::Histogram;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration that is told apart: one hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// The buckets of an HDR histogram of 1 µs to one hour, by significant digits.
static FINE: LazyLock<Histogram<u64>> = LazyLock::new(|| buckets(2));
static COARSE: LazyLock<Histogram<u64>> = LazyLock::new(|| buckets(1));

fn buckets(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, digits).expect("the bounds are in order and digits at most 5")
}

/// How often which duration came: an HDR histogram of two significant digits, of which only the buckets that are not empty
/// are kept. One tool's durations fill some dozens of its 3,300 buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations {
    /// The least value of a bucket in microseconds, and how many are in it; by value.
    buckets: Vec<(u32, u32)>,
    /// One significant digit only.
    coarse: bool,
    sum_us: u64,
    longest_us: u32,
}

impl Durations {
    /// Adds one.
    pub(crate) fn record(&mut self, us: u64) {
        let us = us.clamp(1, LONGEST_US);
        let value = self.scale().lowest_equivalent(us);
        self.add(narrow(value), 1);
        self.sum_us = self.sum_us.saturating_add(us);
        self.longest_us = self.longest_us.max(narrow(us));
    }

    /// Adds all of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.coarse {
            self.coarsen();
        }
        for &(value, count) in &other.buckets {
            let value = if self.coarse && !other.coarse { coarse(value) } else { value };
            self.add(value, count);
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.longest_us = self.longest_us.max(other.longest_us);
    }

    /// Keeps one significant digit where there are more than `most` buckets. At one digit there are at most 464.
    pub(crate) fn bound(&mut self, most: usize) {
        if self.buckets.len() > most {
            self.coarsen();
        }
    }

    /// The quantiles, as [`Histogram::value_at_quantile`] has them.
    pub(crate) fn latency(&self) -> Latency {
        let count: u64 = self.buckets.iter().map(|&(_, count)| u64::from(count)).sum();
        if count == 0 {
            return Latency::default();
        }
        let [p50_ms, p90_ms, p95_ms, p99_ms] = [0.5, 0.9, 0.95, 0.99].map(|share| self.quantile(share, count));
        Latency {
            p50_ms,
            p90_ms,
            p95_ms,
            p99_ms,
            max_ms: f64::from(self.longest_us) / 1000.0,
            mean_ms: self.sum_us as f64 / count as f64 / 1000.0,
        }
    }

    /// In milliseconds.
    fn quantile(&self, share: f64, count: u64) -> f64 {
        let wanted = ((share * count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.buckets.iter().find(|&&(_, count)| {
            seen += u64::from(count);
            seen >= wanted
        });
        let value = found.map_or(self.longest_us, |&(value, _)| value);
        let highest = self.scale().highest_equivalent(u64::from(value));
        highest.min(u64::from(self.longest_us)) as f64 / 1000.0
    }

    fn add(&mut self, value: u32, count: u32) {
        match self.buckets.binary_search_by_key(&value, |&(value, _)| value) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
            Err(place) => self.buckets.insert(place, (value, count)),
        }
    }

    fn coarsen(&mut self) {
        if !self.coarse {
            self.coarse = true;
            for (value, count) in std::mem::take(&mut self.buckets) {
                self.add(coarse(value), count);
            }
        }
    }

    fn scale(&self) -> &'static Histogram<u64> {
        if self.coarse { &COARSE } else { &FINE }
    }
}

fn coarse(value: u32) -> u32 {
    narrow(COARSE.lowest_equivalent(u64::from(value)))
}

fn narrow(us: u64) -> u32 {
    u32::try_from(us).unwrap_or(u32::MAX)
}

/// Written with the distance of each bucket to the one before, which is short.
#[derive(Serialize, Deserialize)]
struct Packed(bool, u64, u32, Vec<(u32, u32)>);

impl Serialize for Durations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let steps = self.buckets.iter().map(|&(value, count)| (value - std::mem::replace(&mut last, value), count));
        Packed(self.coarse, self.sum_us, self.longest_us, steps.collect()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Packed(coarse, sum_us, longest_us, steps) = Packed::deserialize(deserializer)?;
        let mut durations = Self { buckets: Vec::with_capacity(steps.len()), coarse, sum_us, longest_us };
        let mut value = 0_u32;
        for (step, count) in steps {
            value = value.saturating_add(step);
            // In order in what we wrote; what others wrote is put in order.
            match durations.buckets.last() {
                Some(&(last, _)) if last >= value => durations.add(value, count),
                _ => durations.buckets.push((value, count)),
            }
        }
        Ok(durations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations over six decades.
    fn samples(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|step| (1.003_f64.powi(i32::try_from(step % 4_600).expect("small")) * 10.0) as u64 + step % 7)
    }

    #[test]
    fn quantiles_are_those_of_hdr_histogram() {
        let (mut durations, mut whole) = (Durations::default(), buckets(2));
        for us in samples(20_000) {
            durations.record(us);
            whole.record(us).expect("in bounds");
        }
        let latency = durations.latency();
        let found = [latency.p50_ms, latency.p90_ms, latency.p95_ms, latency.p99_ms, latency.max_ms];
        for (quantile, found) in [0.5, 0.9, 0.95, 0.99].into_iter().zip(found) {
            let expected = whole.value_at_quantile(quantile) as f64 / 1000.0;
            assert!((found - expected).abs() < 1e-9, "{quantile}: {found}, not {expected}");
        }
        let mean = samples(20_000).sum::<u64>() as f64 / 20_000.0 / 1000.0;
        assert!((latency.mean_ms - mean).abs() < 1e-6);
        assert!((latency.max_ms - samples(20_000).max().expect("some") as f64 / 1000.0).abs() < 1e-9);
    }

    #[test]
    fn parts_together_are_the_whole_also_where_some_are_coarse() {
        let (mut one, mut two, mut whole) = (Durations::default(), Durations::default(), Durations::default());
        for (place, us) in samples(5_000).enumerate() {
            [&mut one, &mut two][place % 2].record(us);
            whole.record(us);
        }
        let mut both = one.clone();
        both.merge(&two);
        assert_eq!(both, whole);
        whole.bound(100);
        for (first, second) in [(&one, &two), (&two, &one)] {
            let mut bounded = first.clone();
            bounded.bound(100);
            bounded.merge(second);
            assert_eq!(bounded, whole);
            let mut bounded = first.clone();
            bounded.merge(&{
                let mut second = second.clone();
                second.bound(100);
                second
            });
            assert_eq!(bounded, whole);
        }
        assert!(whole.buckets.len() <= 464, "{}", whole.buckets.len());
        let [fine, coarse] = [&both, &whole].map(|durations| durations.latency().p95_ms);
        assert!((coarse / fine - 1.0).abs() < 0.1, "{fine} became {coarse}");
    }

    #[test]
    fn the_shortest_and_the_longest_are_borne() {
        let mut durations = Durations::default();
        for us in [0, 1, u64::MAX] {
            durations.record(us);
        }
        let latency = durations.latency();
        assert_eq!((latency.p50_ms, latency.max_ms), (0.001, 3_600_000.0));
        assert_eq!(Durations::default().latency(), Latency::default());
    }

    #[test]
    fn what_was_written_is_read() {
        let mut durations = Durations::default();
        samples(1_000).for_each(|us| durations.record(us));
        let text = postcard::to_allocvec(&durations).expect("plain data");
        assert!(
            text.len() < durations.buckets.len() * 4 + 16,
            "{} buckets, {} bytes",
            durations.buckets.len(),
            text.len()
        );
        assert_eq!(postcard::from_bytes::<Durations>(&text).expect("readable"), durations);
    }
}
