//! Leaves a model alone that fails again and again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After so many failures in a row nobody asks, until after a cool-down one may try.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// 0 never opens.
    failures_to_open: u32,
    cool_down: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All may ask. So many failed since the last success.
    Closed { failures: u32 },
    /// Nobody may until then.
    Open { until: Instant },
    /// One is trying; the others may not.
    Probing,
}

/// What an attempt showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    /// Nothing: the caller went away, or the trouble was of this one request.
    Unknown,
}

/// One who may ask. Dropped without [`end`](Pass::end), it showed nothing.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    outcome: Outcome,
}

impl Breaker {
    pub(crate) fn new(failures_to_open: u32, cool_down: Duration) -> Self {
        Self { failures_to_open, cool_down, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Lets one ask; `None` while the model is left alone.
    pub(crate) fn pass(&self, now: Instant) -> Option<Pass<'_>> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::Probing;
                true
            }
            State::Open { .. } | State::Probing => return None,
        };
        Some(Pass { breaker: self, is_probe, outcome: Outcome::Unknown })
    }

    fn record(&self, is_probe: bool, outcome: Outcome, now: Instant) {
        let mut state = self.state();
        *state = match (*state, is_probe, outcome) {
            (State::Probing, true, Outcome::Success) => State::Closed { failures: 0 },
            (State::Probing, true, Outcome::Failure) => self.open(now),
            // It showed nothing: the next one may try.
            (State::Probing, true, Outcome::Unknown) => State::Open { until: now },
            (State::Closed { .. }, _, Outcome::Success) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Outcome::Failure) => {
                let failures = failures.saturating_add(1);
                if self.failures_to_open > 0 && failures >= self.failures_to_open {
                    self.open(now)
                } else {
                    State::Closed { failures }
                }
            }
            // Requests from before it opened decide nothing any more.
            (state, _, _) => state,
        };
    }

    fn open(&self, now: Instant) -> State {
        tracing::warn!(cool_down = ?self.cool_down, "the model failed again and again, and is left alone for a while");
        State::Open { until: now + self.cool_down }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is one value: a poisoned lock holds a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says what the attempt showed.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.record(self.is_probe, self.outcome, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(10);

    fn opened() -> Breaker {
        let breaker = Breaker::new(2, COOL_DOWN);
        for _ in 0..2 {
            breaker.pass(Instant::now()).expect("closed").end(Outcome::Failure);
        }
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it() {
        let breaker = Breaker::new(2, COOL_DOWN);
        for outcome in [Outcome::Failure, Outcome::Success, Outcome::Failure, Outcome::Unknown, Outcome::Failure] {
            breaker.pass(Instant::now()).expect("closed").end(outcome);
        }
        assert!(breaker.pass(Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_after_the_cool_down() {
        let breaker = opened();
        tokio::time::advance(COOL_DOWN - Duration::from_millis(1)).await;
        assert!(breaker.pass(Instant::now()).is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        let probe = breaker.pass(Instant::now()).expect("a probe");
        assert!(breaker.pass(Instant::now()).is_none());
        probe.end(Outcome::Failure);
        assert!(breaker.pass(Instant::now()).is_none());
        tokio::time::advance(COOL_DOWN).await;
        breaker.pass(Instant::now()).expect("a probe").end(Outcome::Success);
        let (_one, _two) =
            (breaker.pass(Instant::now()).expect("closed"), breaker.pass(Instant::now()).expect("closed"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_goes_away_leaves_its_place_to_the_next() {
        let breaker = opened();
        tokio::time::advance(COOL_DOWN).await;
        drop(breaker.pass(Instant::now()).expect("a probe"));
        assert!(breaker.pass(Instant::now()).is_some());
    }

    #[test]
    fn zero_never_opens() {
        let breaker = Breaker::new(0, COOL_DOWN);
        for _ in 0..1_000 {
            breaker.pass(Instant::now()).expect("closed").end(Outcome::Failure);
        }
    }
}
