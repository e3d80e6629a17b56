//! A set of named behaviours, and what came of running them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinSet;

/// What one behaviour may take before it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many behaviours run at once. Some start a process each.
const AT_ONCE: usize = 4;

/// What came of one behaviour: `Err` says what was seen instead.
pub(crate) type Verdict = Result<(), String>;

type Run = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Verdict> + Send>> + Send>;

/// The behaviours of one contract, each a sentence of its documentation.
pub struct Suite {
    name: &'static str,
    behaviours: Vec<(&'static str, Run)>,
}

/// What came of a suite.
#[derive(Clone, Debug)]
pub struct Report {
    suite: &'static str,
    passed: Vec<&'static str>,
    failures: Vec<Failure>,
}

/// A behaviour that was not shown.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub behaviour: &'static str,
    /// What was seen instead.
    pub reason: String,
}

impl Suite {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, behaviours: Vec::new() }
    }

    pub(crate) fn add<F>(&mut self, name: &'static str, run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Verdict> + Send + 'static,
    {
        self.behaviours.push((name, Box::new(move || Box::pin(run()))));
    }

    /// The names of its behaviours.
    pub fn names(&self) -> Vec<&'static str> {
        self.behaviours.iter().map(|(name, _)| *name).collect()
    }

    /// Keeps only the behaviours with these names.
    ///
    /// # Panics
    /// Where there is no such behaviour: a test that asks for it would test nothing.
    #[must_use]
    pub fn only(mut self, names: &[&str]) -> Self {
        for name in names {
            assert!(self.names().contains(name), "{} has no behaviour {name}", self.name);
        }
        self.behaviours.retain(|(name, _)| names.contains(name));
        self
    }

    /// Runs every behaviour. A panic or a behaviour that takes more than a minute is a failure.
    pub async fn run(self) -> Report {
        let order = self.names();
        let mut report = Report { suite: self.name, passed: Vec::new(), failures: Vec::new() };
        let mut waiting = self.behaviours.into_iter();
        let mut running = JoinSet::new();
        let mut names = std::collections::HashMap::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((name, run)) = waiting.next()
            {
                let task = running.spawn(async move { tokio::time::timeout(PATIENCE, run()).await });
                names.insert(task.id(), name);
            }
            let Some(ended) = running.join_next_with_id().await else { break };
            let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
            let behaviour = names.remove(&id).expect("every task was given a name");
            let verdict = match ended {
                Ok((_, Ok(verdict))) => verdict,
                Ok((_, Err(_))) => Err(format!("it took more than {PATIENCE:?}")),
                Err(error) => Err(format!("it panicked: {error}")),
            };
            match verdict {
                Ok(()) => report.passed.push(behaviour),
                Err(reason) => report.failures.push(Failure { behaviour, reason }),
            }
        }
        let place = |name: &str| order.iter().position(|known| *known == name);
        report.passed.sort_by_key(|name| place(name));
        report.failures.sort_by_key(|failure| place(failure.behaviour));
        report
    }
}

impl Report {
    /// The behaviours that were shown.
    pub fn passed(&self) -> &[&'static str] {
        &self.passed
    }

    /// The behaviours that were not.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Whether this behaviour was run and not shown.
    pub fn failed(&self, behaviour: &str) -> bool {
        self.failures.iter().any(|failure| failure.behaviour == behaviour)
    }

    /// For the last line of a test.
    ///
    /// # Panics
    /// Where a behaviour was not shown, with all of those and what was seen instead; also where no
    /// behaviour was run at all.
    pub fn assert_passed(&self) {
        self.assert_passed_except(&[]);
    }

    /// The same for a backend with known gaps: pairs of a behaviour and why it is not shown.
    ///
    /// # Panics
    /// Where a behaviour was not shown that is not listed, and where one was shown that is: a list that
    /// is too long hides the next mistake.
    pub fn assert_passed_except(&self, known: &[(&str, &str)]) {
        let listed = |behaviour: &str| known.iter().any(|(name, _)| *name == behaviour);
        let all_listed = self.failures.iter().all(|failure| listed(failure.behaviour));
        assert!(all_listed && !self.passed.is_empty(), "{self}");
        for (name, _) in known {
            assert!(self.failed(name), "{}: {name} is listed as a known gap, but it was shown", self.suite);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} behaviours shown, {} not", self.suite, self.passed.len(), self.failures.len())?;
        for Failure { behaviour, reason } in &self.failures {
            write!(f, "\n  {behaviour}: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).field("behaviours", &self.names()).finish()
    }
}

/// Ends a behaviour with what was seen instead, unless `$condition` holds.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err(format!($($seen)+));
        }
    };
}

/// Ends a behaviour unless both are equal.
macro_rules! ensure_eq {
    ($seen:expr, $expected:expr, $($what:tt)+) => {
        match (&$seen, &$expected) {
            (seen, expected) => {
                if seen != expected {
                    return Err(format!("{}: expected {expected:?}, saw {seen:?}", format_args!($($what)+)));
                }
            }
        }
    };
}

/// A suite of the functions named, each given what `$make` makes.
macro_rules! suite {
    ($name:literal, $make:ident, [$($behaviour:path),+ $(,)?]) => {{
        let mut suite = $crate::Suite::new($name);
        let make = ::std::sync::Arc::new($make);
        $(
            let made = ::std::sync::Arc::clone(&make);
            suite.add($crate::suite::last(stringify!($behaviour)), move || async move { $behaviour(made().await).await });
        )+
        suite
    }};
}

pub(crate) use {ensure, ensure_eq, suite};

/// The last part of a path.
pub(crate) fn last(path: &'static str) -> &'static str {
    path.rsplit(':').next().map_or(path, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_panics_and_endless_behaviours_are_told_apart() {
        let mut suite = Suite::new("sample");
        suite.add("good", || async { Ok(()) });
        suite.add("bad", || async { Err("seen".to_owned()) });
        suite.add("loud", || async { panic!("aloud") });
        suite.add("endless", std::future::pending);
        let report = suite.run().await;
        assert_eq!(report.passed(), ["good"]);
        let failed: Vec<_> = report.failures().iter().map(|failure| failure.behaviour).collect();
        assert_eq!(failed, ["bad", "loud", "endless"]);
        assert!(report.failed("bad") && !report.failed("good"));
        assert!(report.to_string().contains("bad: seen"));
    }

    #[tokio::test]
    #[should_panic(expected = "0 behaviours shown")]
    async fn a_suite_that_ran_nothing_has_not_passed() {
        Suite::new("empty").run().await.assert_passed();
    }
}
