//! How a run ended: what passed, what failed as expected, and what must not be.

use std::collections::BTreeMap;

use super::expected::Entry;
use super::results::{Check, Scenario};

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `server 2025-11-25 (http upstream)`
    pub run: String,
    /// Scenarios that the revision requires.
    pub required: usize,
    pub passed: usize,
    /// Failed as the list of expected failures says.
    pub expected: usize,
    /// Failed and not listed, or listed and passed; each with what the suite says.
    pub mistakes: Vec<String>,
    /// Not required by the revision, and failed.
    pub beside: Vec<String>,
}

/// What a scenario came to.
enum End {
    Passed,
    Expected,
    Mistake(String),
}

impl Outcome {
    /// Judges what the suite saw.
    pub fn judge(required: &[String], seen: &BTreeMap<String, Scenario>, expected: &[Entry]) -> Self {
        let mut outcome = Self { required: required.len(), ..Self::default() };
        for scenario in required {
            let entries: Vec<&Entry> = expected.iter().filter(|entry| entry.scenario == *scenario).collect();
            let ran = seen.get(scenario);
            match end(scenario, ran.map(|ran| ran.checks.as_slice()), &entries) {
                End::Passed => outcome.passed += 1,
                End::Expected => outcome.expected += 1,
                End::Mistake(mut what) => {
                    if let Some(words) = ran.and_then(|ran| ran.last_words.as_ref()) {
                        what.push_str(&format!("\n  its client's last words: {words}"));
                    }
                    outcome.mistakes.push(what);
                }
            }
        }
        let others = seen.iter().filter(|(name, _)| !required.contains(name));
        outcome.beside =
            others.filter(|(_, ran)| ran.checks.iter().any(has_failed)).map(|(name, _)| name.clone()).collect();
        outcome
    }

    /// The line of a run: `server 2025-11-25 (http upstream): 30 of 30`.
    pub fn line(&self) -> String {
        if self.required == 0 {
            return format!("{}: could not be made", self.run);
        }
        let expected = match self.expected {
            0 => String::new(),
            count => format!(", {count} failed as expected"),
        };
        format!("{}: {} of {}{expected}", self.run, self.passed, self.required)
    }
}

fn end(scenario: &str, checks: Option<&[Check]>, entries: &[&Entry]) -> End {
    let Some(checks) = checks else {
        return End::Mistake(format!("{scenario}: did not run"));
    };
    let failed: Vec<&Check> = checks.iter().filter(|check| has_failed(check)).collect();
    let passed = |id: &str| checks.iter().any(|check| check.id == id && check.status == "SUCCESS");
    let is_whole = entries.iter().any(|entry| entry.check.is_none());
    let is_expected = |check: &Check| is_whole || entries.iter().any(|entry| entry.check.as_ref() == Some(&check.id));
    let stale = entries.iter().filter(|entry| match &entry.check {
        None => failed.is_empty(),
        Some(id) => passed(id) && !failed.iter().any(|check| check.id == *id),
    });
    let stale: Vec<String> = stale.map(|entry| entry.check.as_deref().unwrap_or("the scenario").to_owned()).collect();
    if !stale.is_empty() {
        return End::Mistake(format!("{scenario}: {} passes and is listed as a failure", stale.join(", ")));
    }
    let unexpected: Vec<String> = failed
        .iter()
        .filter(|check| !is_expected(check))
        .map(|check| format!("{scenario}: {}: {} {}", check.id, check.status, check.message))
        .collect();
    if !unexpected.is_empty() {
        return End::Mistake(unexpected.join("\n"));
    }
    if !failed.is_empty() {
        return End::Expected;
    }
    // Some scenarios look at nothing where something is not there.
    if !checks.iter().any(|check| check.status == "SUCCESS") {
        return End::Mistake(format!("{scenario}: the suite looked at nothing"));
    }
    End::Passed
}

/// A warning is a SHOULD that does not hold; the suite's own list of expected failures counts it too.
fn has_failed(check: &Check) -> bool {
    matches!(check.status.as_str(), "FAILURE" | "WARNING")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, status: &str) -> Check {
        Check {
            id: id.to_owned(),
            status: status.to_owned(),
            message: "why".to_owned(),
            details: serde_json::Value::Null,
        }
    }

    /// Scenarios and their checks, as `scenario id STATUS`; entries as they stand in the file.
    fn judge(seen: &[&str], expected: &[&str]) -> Outcome {
        let mut scenarios: BTreeMap<String, Scenario> = BTreeMap::new();
        for line in seen {
            let [name, id, status] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            scenarios.entry(name.to_owned()).or_default().checks.push(check(id, status));
        }
        let entries: Vec<Entry> = expected
            .iter()
            .map(|entry| entry.split_once(':').map_or((*entry, None), |(scenario, check)| (scenario, Some(check))))
            .map(|(scenario, check)| Entry { scenario: scenario.to_owned(), check: check.map(str::to_owned) })
            .collect();
        Outcome::judge(&["a".to_owned(), "b".to_owned()], &scenarios, &entries)
    }

    #[test]
    fn what_fails_must_be_listed_and_what_is_listed_must_fail() {
        for (seen, expected, counts) in [
            (&["a 1 SUCCESS", "b 1 SUCCESS", "b 2 INFO"][..], &[][..], (2, 0, 0)),
            (&["a 1 SUCCESS", "b 1 SUCCESS", "b 2 WARNING"], &[], (1, 0, 1)),
            (&["a 1 SUCCESS", "b 1 FAILURE"], &["b"], (1, 1, 0)),
            (&["a 1 SUCCESS", "b 1 SUCCESS", "b 2 FAILURE"], &["b:2"], (1, 1, 0)),
            (&["a 1 SUCCESS", "b 1 FAILURE", "b 2 FAILURE"], &["b:2"], (1, 0, 1)),
            (&["a 1 SUCCESS", "b 1 SUCCESS"], &["b"], (1, 0, 1)),
            (&["a 1 SUCCESS", "b 1 SUCCESS", "b 2 SUCCESS"], &["b:2"], (1, 0, 1)),
            (&["a 1 SUCCESS"], &[], (1, 0, 1)),
            (&["a 1 SUCCESS", "b 1 SKIPPED"], &[], (1, 0, 1)),
        ] {
            let outcome = judge(seen, expected);
            let got = (outcome.passed, outcome.expected, outcome.mistakes.len());
            assert_eq!(got, counts, "{seen:?} {expected:?} {:?}", outcome.mistakes);
        }
        assert_eq!(judge(&["a 1 SUCCESS", "b 1 SUCCESS", "c 1 FAILURE"], &[]).beside, ["c"]);
    }
}
