//! The command line: which task, with which options.

use std::process::ExitCode;

use crate::workspace::Workspace;
use crate::{conformance, demo, eval_routing, peers, suite, tidy, torture};

const HELP: &str = "\
The project's own tasks.

  cargo xtask demo [--once]        builds, starts the gateway with the demo server, shows it round, and serves
                                   until Ctrl-C; --once stops after the tour and exits with its status
  cargo xtask test [ARGS…]         everything that can fail: sets up the MCP servers to test against, then runs
                                   all tests and doc tests; ARGS go to `cargo nextest run` (or `cargo test`)
                                   in place of --workspace, and then the doc tests are left out
  cargo xtask conformance [ARGS…]  the official conformance suite against the gateway, as server and as client
      --requirements R             only this revision: 2025-11-25 or 2026-07-28
      --role ROLE                  only as server or as client
      --upstream WIRE              as server, only in front of an upstream over http or stdio
      --era ERA                    what that upstream speaks: both (default), legacy or modern
      --direct                     no gateway: judges what it is tested with
      --scenario NAME              only this one, with all that the suite says; other ARGS go to the suite
  cargo xtask eval-routing [ARGS…] how well and how fast routers find tools; without ARGS every router on every set
      --data DIR                   a folder with sets of requests (else ROUTING_DATA, ../shared/data/routing/dev
                                   or, where neither is there, the sample)
      --router NAME                only this router
      --json FILE                  the figures as JSON; - is standard output
      --calibration                whether scores can be believed, and what becomes of requests that no tool answers
      --check, --record            fails where a router is worse than recorded; records what was measured
      --help                       all there is
  cargo xtask torture [ARGS…]      10,000 jobs over three gateways on one Redis, while gateways and Redis are killed:
                                   was every job answered once, and nothing done twice?
      queue --jobs N --replicas N --rate N --redis-restarts N --kill-every-ms N
      soak --seconds N --rate N    instead: a steady load with faulty servers; does memory grow?
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
        ["conformance", rest @ ..] => conformance::run(&Workspace::load()?, &conformance::Options::parse(rest)?),
        ["eval-routing", rest @ ..] => eval_routing::run(rest),
        ["torture", rest @ ..] => torture::run(&Workspace::load()?, rest),
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
