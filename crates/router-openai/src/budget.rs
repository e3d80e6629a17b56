//! What the model may cost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The limits of all requests to a model together.
#[derive(Debug)]
pub(crate) struct Budget {
    /// In any 60 seconds; 0 is no limit.
    max_calls_per_minute: u32,
    /// In the 24 hours from the first request of a day on; 0 is no limit.
    max_tokens_per_day: u64,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    /// When requests were begun, those of the last minute only.
    calls: VecDeque<Instant>,
    /// When the day began in which `tokens` were used.
    day: Option<Instant>,
    tokens: u64,
}

/// A request that may be made. Dropped, it counts with its estimate: what became of it is unknown.
#[derive(Debug)]
pub(crate) struct Charge<'a> {
    budget: &'a Budget,
    day: Option<Instant>,
    estimate: u64,
}

impl Budget {
    pub(crate) fn new(max_calls_per_minute: u32, max_tokens_per_day: u64) -> Self {
        Self { max_calls_per_minute, max_tokens_per_day, spent: Mutex::default() }
    }

    /// Counts a request that is about to be made and will cost about `estimate` tokens.
    ///
    /// # Errors
    /// `RateLimited` where it would exceed a limit.
    pub(crate) fn charge(&self, estimate: u64, now: Instant) -> Result<Charge<'_>> {
        let mut spent = self.spent();
        while spent.calls.front().is_some_and(|begun| now.duration_since(*begun) >= MINUTE) {
            spent.calls.pop_front();
        }
        if spent.day.is_none_or(|day| now.duration_since(day) >= DAY) {
            (spent.day, spent.tokens) = (Some(now), 0);
        }
        if self.max_calls_per_minute > 0 && spent.calls.len() >= self.max_calls_per_minute as usize {
            return Err(exceeded("`max_calls_per_minute` is used up"));
        }
        if self.max_tokens_per_day > 0 && spent.tokens.saturating_add(estimate) > self.max_tokens_per_day {
            return Err(exceeded("`max_tokens_per_day` is used up"));
        }
        if self.max_calls_per_minute > 0 {
            spent.calls.push_back(now);
        }
        spent.tokens = spent.tokens.saturating_add(estimate);
        Ok(Charge { budget: self, day: spent.day, estimate })
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        // Counts that are off by one request do no harm.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Charge<'_> {
    /// The request took so many tokens.
    pub(crate) fn settle(self, tokens: u64) {
        let mut spent = self.budget.spent();
        // A day that has ended is not mended.
        if spent.day == self.day {
            spent.tokens = spent.tokens.saturating_sub(self.estimate).saturating_add(tokens);
        }
    }
}

fn exceeded(what: &str) -> Error {
    Error::new(ErrorKind::RateLimited, format!("ask the model: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn no_minute_has_more_calls_than_allowed() {
        let (budget, start) = (Budget::new(2, 0), Instant::now());
        let at = |after| budget.charge(1, start + seconds(after)).is_ok();
        assert!(at(0) && at(50));
        assert!(!at(51) && !at(59));
        assert!(at(60));
        assert!(!at(61) && !at(109));
        assert!(at(110));
    }

    #[test]
    fn no_day_has_more_tokens_than_allowed() {
        let (budget, start) = (Budget::new(0, 1_000), Instant::now());
        let charge = |tokens, after| budget.charge(tokens, start + seconds(after));
        charge(600, 0).expect("room").settle(300);
        // Nobody says what became of it.
        let _abandoned = charge(700, 1).expect("room for what was left");
        assert_eq!(charge(1, 2).expect_err("none is left").kind(), ErrorKind::RateLimited);
        assert!(charge(1, 24 * 3_600 - 1).is_err());
        charge(1_000, 24 * 3_600).expect("a new day").settle(0);
        charge(1_000, 24 * 3_600 + 1).expect("a request that cost nothing");
        assert!(charge(1_001, 72 * 3_600).is_err());
    }

    #[test]
    fn a_request_of_yesterday_does_not_count_today() {
        let (budget, start) = (Budget::new(0, 1_000), Instant::now());
        let old = budget.charge(900, start).expect("room");
        let today = start + seconds(25 * 3_600);
        budget.charge(100, today).expect("room").settle(100);
        old.settle(5_000);
        assert!(budget.charge(900, today).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let (budget, now) = (Budget::new(0, 0), Instant::now());
        for _ in 0..10_000 {
            budget.charge(u64::MAX, now).expect("no limit").settle(u64::MAX);
        }
        assert!(budget.spent().calls.is_empty());
    }
}
