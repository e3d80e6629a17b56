//! `cargo xtask test`: everything that can fail, and a summary in which nothing is skipped in silence.
//!
//! Integration tests that start programs of other packages find them in the folder that the environment
//! variable `MCP_BIN_DIR` names; where it is not set (a bare `cargo nextest run -p …`) they look in the
//! folder above their own executable's, and say `run cargo xtask test` when the program is not there. The
//! servers that we did not write are found through `MCP_PEERS` (see [`crate::peers`]).

use std::process::{Command, ExitCode};

use crate::conformance;
use crate::peers::{self, Peers};
use crate::process::{output, run as run_command, watch};
use crate::services::Services;
use crate::workspace::Workspace;

/// How many tests ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// One run of a test runner.
#[derive(Debug)]
struct Outcome {
    what: String,
    count: Count,
    succeeded: bool,
}

/// Sets up the peers, builds, runs the tests, sums up. `arguments` choose tests and replace `--workspace`.
pub fn run(workspace: &Workspace, arguments: &[&str]) -> Result<ExitCode, String> {
    let peers = peers::set_up(workspace)?;
    let services = Services::set_up(&workspace.services())?;
    let mut build = workspace.cargo();
    build.args(["build", "--workspace", "--bins"]);
    if arguments.is_empty() {
        // With the tests, so that features, and with them the built dependencies, are the same as below.
        build.arg("--tests");
    }
    run_command(&mut build)?;
    let mut outcomes = vec![run_tests(workspace, &peers, arguments)?];
    if arguments.is_empty() {
        outcomes.push(run_doc_tests(workspace, &peers)?);
        outcomes.extend(run_conformance(workspace, &peers)?);
    }
    let code = summarise(&outcomes, &peers, &services, arguments);
    services.stop()?;
    Ok(code)
}

fn run_tests(workspace: &Workspace, peers: &Peers, arguments: &[&str]) -> Result<Outcome, String> {
    let selection = if arguments.is_empty() { &["--workspace"] } else { arguments };
    let mut command = with_surroundings(workspace.cargo(), workspace, peers);
    if output(workspace.cargo().args(["nextest", "--version"])).is_err() {
        println!("cargo-nextest is not installed; running `cargo test`, which has no time limits");
        command.args(["test", "--no-fail-fast", "--tests"]).args(selection);
        return count("tests", &mut command, count_libtest_line);
    }
    command.args(["nextest", "run", "--no-fail-fast", "--color", "never"]).args(selection);
    if std::env::var_os("CI").is_some() {
        command.args(["--profile", "ci"]);
    }
    count("tests", &mut command, count_nextest_line)
}

fn run_doc_tests(workspace: &Workspace, peers: &Peers) -> Result<Outcome, String> {
    let mut command = with_surroundings(workspace.cargo(), workspace, peers);
    command.args(["test", "--doc", "--workspace", "--no-fail-fast", "--quiet"]);
    count("doc tests", &mut command, count_libtest_line)
}

/// The official suite, one outcome a run. What fails as expected is named, and counts as nothing.
fn run_conformance(workspace: &Workspace, peers: &Peers) -> Result<Vec<Outcome>, String> {
    let outcomes = conformance::in_test(workspace, peers)?;
    let outcome = |outcome: conformance::Outcome| Outcome {
        what: format!("conformance, {}", outcome.line()),
        count: Count { passed: outcome.passed as u64, failed: outcome.mistakes.len() as u64, skipped: 0 },
        succeeded: outcome.mistakes.is_empty(),
    };
    Ok(outcomes.into_iter().map(outcome).collect())
}

fn with_surroundings(mut command: Command, workspace: &Workspace, peers: &Peers) -> Command {
    command.env("MCP_PEERS", &peers.folder).env("MCP_BIN_DIR", workspace.programs());
    command
}

fn count(what: &str, command: &mut Command, read: impl Fn(&str) -> Option<Count>) -> Result<Outcome, String> {
    let mut count = Count::default();
    let succeeded = watch(command, |line| {
        if let Some(more) = read(line) {
            count.passed += more.passed;
            count.failed += more.failed;
            count.skipped += more.skipped;
        }
    })?;
    Ok(Outcome { what: what.to_owned(), count, succeeded })
}

/// `Summary [   2.5s] 8 tests run: 7 passed (1 slow), 1 failed, 3 skipped`
fn count_nextest_line(line: &str) -> Option<Count> {
    let (_, after) = line.trim_start().strip_prefix("Summary [")?.split_once("run: ")?;
    let number = |word| number_before(after, word);
    let failed = number("failed") + number("timed out") + number("exec failed");
    Some(Count { passed: number("passed"), failed, skipped: number("skipped") })
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn count_libtest_line(line: &str) -> Option<Count> {
    let after = line.strip_prefix("test result: ")?;
    let number = |word| number_before(after, word);
    let skipped = number("ignored") + number("filtered out");
    Some(Count { passed: number("passed"), failed: number("failed"), skipped })
}

/// 7 of `8 run: 7 passed (1 slow), 1 failed` for `passed`; 0 where the word does not follow a number.
fn number_before(text: &str, word: &str) -> u64 {
    let parts = text.split([',', ';', '.', ':', '(']);
    let counts = parts.filter_map(|part| part.trim().split_once(' '));
    counts.filter(|(_, rest)| rest.trim() == word).find_map(|(number, _)| number.parse().ok()).unwrap_or_default()
}

fn summarise(outcomes: &[Outcome], peers: &Peers, services: &Services, arguments: &[&str]) -> ExitCode {
    println!("\n── summary ──");
    let mut total = Count::default();
    let mut good = true;
    for Outcome { what, count, succeeded } in outcomes {
        let Count { passed, failed, skipped } = *count;
        println!("{what}: {passed} passed, {failed} failed, {skipped} skipped");
        if !succeeded && failed == 0 {
            println!("{what}: the runner itself failed, see above");
        }
        good &= *succeeded && failed == 0;
        total.passed += passed;
        // A runner that failed without naming a test counts as one failure.
        total.failed += failed.max(u64::from(!succeeded));
        total.skipped += skipped;
    }
    println!("peers: {} ({})", peers.pinned.join(", "), peers.folder.display());
    println!("services: {}", services.told.join(", "));
    if arguments.is_empty() {
        if total.skipped > 0 {
            println!("tests were skipped, and a skipped test is a failed one");
            good = false;
            total.failed += total.skipped;
        }
        if total.passed == 0 {
            println!("nothing was tested");
            good = false;
        }
    } else {
        println!("only what was asked for: {}; no doc tests", arguments.join(" "));
    }
    println!("total: {} passed, {} failed", total.passed, total.failed);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_lines_are_counted() {
        let nextest = "     Summary [   2.527s] 8 tests run: 8 passed, 0 skipped";
        assert_eq!(count_nextest_line(nextest), Some(Count { passed: 8, failed: 0, skipped: 0 }));
        let mixed = "  Summary [ 12.1s] 9/12 tests run: 5 passed (2 slow, 1 leaky), 3 failed, 1 timed out, 4 skipped";
        assert_eq!(count_nextest_line(mixed), Some(Count { passed: 5, failed: 4, skipped: 4 }));
        assert_eq!(count_nextest_line("        PASS [   0.028s] (1/8) a::b Summary [ 1 tests run: 1 passed"), None);
        let libtest =
            "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s";
        assert_eq!(count_libtest_line(libtest), Some(Count { passed: 5, failed: 2, skipped: 4 }));
        assert_eq!(count_libtest_line("test a ... ok"), None);
    }
}
