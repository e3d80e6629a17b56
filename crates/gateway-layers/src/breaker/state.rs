//! The breaker's state machine, apart from calls and clocks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Settings of [`BreakerLayer`](crate::BreakerLayer).
#[derive(Clone, Copy, Debug)]
pub struct BreakerConfig {
    /// So many failures in a row open the breaker.
    pub failures_to_open: u32,
    /// How long a server is left alone before one call may try it again, in milliseconds.
    pub cool_down_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures_to_open: 5, cool_down_ms: 10_000 }
    }
}

impl BreakerConfig {
    fn cool_down(self) -> Duration {
        Duration::from_millis(self.cool_down_ms)
    }
}

/// One server's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calls pass. So many failed since the last success.
    Closed { failures: u32 },
    /// Calls are refused until then.
    Open { until: Instant },
    /// One call is trying the server; others are refused.
    Probing,
}

/// What a call showed of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Nothing: the caller went away, or the server was not asked.
    Unknown,
}

/// A call that may pass. Dropped without [`end`](Pass::end), it showed nothing.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    outcome: Outcome,
}

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self { config, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Lets a call pass, or says how long the server is left alone.
    pub(super) fn pass(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::Probing;
                true
            }
            State::Open { until } => return Err(until - now),
            // How long the probe takes is unknown; soon is a fair guess.
            State::Probing => return Err(Duration::from_secs(1).min(self.config.cool_down())),
        };
        Ok(Pass { breaker: self, is_probe, outcome: Outcome::Unknown })
    }

    fn record(&self, is_probe: bool, outcome: Outcome, now: Instant) {
        let mut state = self.state();
        *state = match (*state, is_probe, outcome) {
            (State::Probing, true, Outcome::Success) => State::Closed { failures: 0 },
            (State::Probing, true, Outcome::Failure) => self.open(now),
            // The probe showed nothing: the next call may try.
            (State::Probing, true, Outcome::Unknown) => State::Open { until: now },
            (State::Closed { .. }, _, Outcome::Success) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, Outcome::Failure) => {
                let failures = failures.saturating_add(1);
                if failures >= self.config.failures_to_open.max(1) {
                    self.open(now)
                } else {
                    State::Closed { failures }
                }
            }
            // Calls that began before it opened decide nothing any more.
            (state, _, _) => state,
        };
    }

    fn open(&self, now: Instant) -> State {
        State::Open { until: now + self.config.cool_down() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A state is one value: a poisoned lock holds a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says what the call showed.
    pub(super) fn end(mut self, outcome: Outcome) {
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

    const CONFIG: BreakerConfig = BreakerConfig { failures_to_open: 3, cool_down_ms: 10_000 };

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.pass(Instant::now()).expect("passes").end(Outcome::Failure);
        }
    }

    async fn cool_down() {
        tokio::time::advance(CONFIG.cool_down()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_so_many_failures_in_a_row() {
        let breaker = Breaker::new(CONFIG);
        fail(&breaker, 2);
        breaker.pass(Instant::now()).expect("passes").end(Outcome::Success);
        fail(&breaker, 3);
        assert_eq!(breaker.pass(Instant::now()).expect_err("open"), CONFIG.cool_down());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_cool_down_one_probe_passes_and_decides() {
        let breaker = Breaker::new(CONFIG);
        fail(&breaker, 3);
        cool_down().await;
        let probe = breaker.pass(Instant::now()).expect("a probe passes");
        assert!(breaker.pass(Instant::now()).is_err(), "one probe is enough");
        probe.end(Outcome::Failure);
        assert_eq!(breaker.pass(Instant::now()).expect_err("open again"), CONFIG.cool_down());
        cool_down().await;
        breaker.pass(Instant::now()).expect("a probe passes").end(Outcome::Success);
        fail(&breaker, 2);
        assert!(breaker.pass(Instant::now()).is_ok(), "it counts from nothing again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_makes_room_for_the_next() {
        let breaker = Breaker::new(CONFIG);
        fail(&breaker, 3);
        cool_down().await;
        drop(breaker.pass(Instant::now()).expect("a probe passes"));
        assert!(breaker.pass(Instant::now()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_it_opened_decide_nothing() {
        let breaker = Breaker::new(CONFIG);
        let early = [0, 1].map(|_| breaker.pass(Instant::now()).expect("passes"));
        fail(&breaker, 3);
        let [good, bad] = early;
        good.end(Outcome::Success);
        assert!(breaker.pass(Instant::now()).is_err(), "a late success does not close it");
        cool_down().await;
        let probe = breaker.pass(Instant::now()).expect("a probe passes");
        bad.end(Outcome::Failure);
        probe.end(Outcome::Success);
        assert!(breaker.pass(Instant::now()).is_ok(), "a late failure does not end the probe");
    }

    #[tokio::test(start_paused = true)]
    async fn what_shows_nothing_changes_nothing() {
        let breaker = Breaker::new(CONFIG);
        fail(&breaker, 2);
        drop(breaker.pass(Instant::now()));
        fail(&breaker, 1);
        assert!(breaker.pass(Instant::now()).is_err());
    }
}
