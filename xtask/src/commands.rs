//! The command line: which task, with which options.

use std::process::ExitCode;

use crate::workspace::Workspace;
use crate::{demo, peers, suite, tidy};

const HELP: &str = "\
The project's own tasks.

  cargo xtask demo [--once]        builds, starts the gateway with the demo server, shows it round, and serves
                                   until Ctrl-C; --once stops after the tour and exits with its status
  cargo xtask test [ARGS…]         everything that can fail: sets up the MCP servers to test against, then runs
                                   all tests and doc tests; ARGS go to `cargo nextest run` (or `cargo test`)
                                   in place of --workspace, and then the doc tests are left out
  cargo xtask peers                only sets up those servers, in target/peers, and prints where
  cargo xtask tidy [--fix]         checks the house rules; --fix writes what is generated
  cargo xtask help                 this text
";

/// Runs the task that `arguments` name.
pub fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["demo"] => demo::run(&Workspace::load()?, demo::After::Serve),
        ["demo", "--once"] => demo::run(&Workspace::load()?, demo::After::Stop),
        ["test", rest @ ..] => suite::run(&Workspace::load()?, rest),
        ["peers"] => {
            let peers = peers::set_up(&Workspace::load()?)?;
            println!("{}", peers.folder.display());
            Ok(ExitCode::SUCCESS)
        }
        ["tidy"] => tidy::run(&Workspace::load()?, tidy::Generated::Check),
        ["tidy", "--fix"] => tidy::run(&Workspace::load()?, tidy::Generated::Write),
        _ => Err(format!("no such task: {}\n\n{HELP}", words.join(" "))),
    }
}
