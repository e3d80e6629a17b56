//! The scores that routers had, so that a change that makes one worse is seen.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::measure::Measured;

/// How far below its recorded score a router may be: half a point of a hundred.
pub const TOLERANCE: f64 = 0.005;

/// One router's score on one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The set.
    pub set: String,
    /// The router's name in the registry.
    pub router: String,
    /// nDCG of the first ten, 0..=1.
    pub ndcg10: f64,
}

/// What became of one recorded or measured score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) is_good: bool,
    text: String,
}

/// The recorded scores, by set and router.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    scores: Vec<Score>,
}

impl Recorded {
    /// Reads the file that [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// Where it cannot be read, with the place in it.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::file(path, "read"))?;
        let scores: Vec<Score> = serde_json::from_str(&text).map_err(|error| Error::Line {
            path: path.to_owned(),
            line: error.line(),
            problem: format!("{error}; `cargo xtask eval-routing --record` writes the file anew"),
        })?;
        if let Some(score) = scores.iter().find(|score| !(0.0..=1.0).contains(&score.ndcg10)) {
            let problem =
                format!("`ndcg10` of {}, {} is {} but must be in 0..=1", score.router, score.set, score.ndcg10);
            return Err(Error::data(path, problem));
        }
        Ok(Self { scores })
    }

    /// All of them.
    pub fn scores(&self) -> &[Score] {
        &self.scores
    }

    /// Writes the scores, one a line.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let line = |score: &Score| {
            let Score { set, router, ndcg10 } = score;
            format!("  {{\"set\": {}, \"router\": {}, \"ndcg10\": {ndcg10:.4}}}", quoted(set), quoted(router))
        };
        let text = format!("[\n{}\n]\n", self.scores.iter().map(line).collect::<Vec<_>>().join(",\n"));
        fs::write(path, text).map_err(Error::file(path, "write"))
    }

    /// With the scores of `measured` in place of what was recorded of the same routers and sets, and without routers
    /// that are not among `known`.
    #[must_use]
    pub fn with(mut self, measured: &[Measured], known: &[&str]) -> Self {
        self.scores.retain(|score| known.contains(&score.router.as_str()) && find(measured, score).is_none());
        self.scores.extend(measured.iter().map(|measured| Score {
            set: measured.set.clone(),
            router: measured.router.to_owned(),
            ndcg10: measured.quality.ndcg_at_10,
        }));
        self.scores.sort_by(|a, b| (&a.set, &a.router).cmp(&(&b.set, &b.router)));
        self
    }

    /// Compares `measured` with what is recorded of it: a score that is too low fails, and so does one that nobody
    /// has recorded.
    pub(crate) fn judge(&self, measured: &[Measured]) -> Vec<Verdict> {
        measured.iter().map(|measured| self.judge_one(measured)).collect()
    }

    /// The recorded sets on which one of `routers` was not measured.
    pub(crate) fn sets_without(&self, measured: &[Measured], routers: &[&str]) -> Vec<&str> {
        let missing = |score: &&Score| routers.contains(&score.router.as_str()) && find(measured, score).is_none();
        let mut sets: Vec<&str> = self.scores.iter().filter(missing).map(|score| score.set.as_str()).collect();
        sets.dedup();
        sets
    }

    fn judge_one(&self, measured: &Measured) -> Verdict {
        let Measured { set, router, quality, .. } = measured;
        let found = quality.ndcg_at_10;
        let recorded = self.scores.iter().find(|score| score.set == *set && score.router == *router);
        match recorded.map(|score| score.ndcg10) {
            None => Verdict {
                is_good: false,
                text: format!("{router} on {set} is not recorded; `cargo xtask eval-routing --record` records it"),
            },
            Some(recorded) if found < recorded - TOLERANCE => Verdict {
                is_good: false,
                text: format!(
                    "{router} on {set} has nDCG@10 {:.2}, which is {:.2} below the recorded {:.2}",
                    found * 100.0,
                    (recorded - found) * 100.0,
                    recorded * 100.0
                ),
            },
            Some(recorded) => Verdict {
                is_good: true,
                text: format!("{router} on {set} has nDCG@10 {:.2}, recorded {:.2}", found * 100.0, recorded * 100.0),
            },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_good { "ok" } else { "FAILED" };
        write!(f, "{mark:<7} {}", self.text)
    }
}

fn find<'a>(measured: &'a [Measured], score: &Score) -> Option<&'a Measured> {
    measured.iter().find(|measured| measured.set == score.set && measured.router == score.router)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Timing;
    use crate::quality::Quality;

    fn measured(set: &str, router: &'static str, ndcg_at_10: f64) -> Measured {
        Measured {
            set: set.to_owned(),
            router,
            requests: 1,
            tools: 1,
            quality: Quality { ndcg_at_10, ..Quality::default() },
            timing: Timing::default(),
            memory_mb: 0.0,
            firsts: Vec::new(),
            irrelevant: 0,
            irrelevant_answered: 0,
        }
    }

    fn check(recorded: f64, found: f64, is_good: bool) {
        let file = Recorded::default().with(&[measured("s", "a", recorded)], &["a"]);
        let verdicts = file.judge(&[measured("s", "a", found)]);
        assert_eq!(verdicts[0].is_good, is_good, "{}", verdicts[0]);
    }

    #[test]
    fn half_a_point_below_fails() {
        check(0.8, 0.8, true);
        check(0.8, 0.9, true);
        check(0.8, 0.7951, true);
        check(0.8, 0.7949, false);
        check(0.8, 0.0, false);
    }

    #[test]
    fn what_is_not_recorded_fails() {
        let verdicts = Recorded::default().judge(&[measured("s", "a", 1.0)]);
        assert!(!verdicts[0].is_good && verdicts[0].to_string().contains("is not recorded"), "{}", verdicts[0]);
    }

    #[test]
    fn what_was_not_measured_stays_unless_its_router_is_gone() {
        let before = [measured("s", "a", 0.1), measured("t", "a", 0.2), measured("t", "gone", 0.3)];
        let recorded = Recorded::default().with(&before, &["a", "gone"]);
        let now = recorded.with(&[measured("s", "a", 0.4), measured("s", "b", 0.5)], &["a", "b"]);
        let found: Vec<_> = now.scores.iter().map(|score| (&*score.set, &*score.router, score.ndcg10)).collect();
        assert_eq!(found, [("s", "a", 0.4), ("s", "b", 0.5), ("t", "a", 0.2)]);
        assert_eq!(now.sets_without(&[measured("s", "a", 0.4)], &["a"]), ["t"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorded.json");
        let recorded = Recorded::default().with(&[measured("a/\"b\"", "a", 0.25), measured("t", "a", 1.0)], &["a"]);
        recorded.write(&path).unwrap();
        assert_eq!(Recorded::read(&path).unwrap(), recorded);
        fs::write(&path, "[\n{\"set\": \"s\", \"router\": \"a\"}\n]").unwrap();
        let message = Recorded::read(&path).unwrap_err().to_string();
        assert!(message.contains("recorded.json, line 2: missing field `ndcg10`"), "{message}");
    }
}
