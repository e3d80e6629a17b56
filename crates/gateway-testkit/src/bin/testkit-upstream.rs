//! A scriptable MCP server for tests; `gateway_testkit::reference` has what it does.

use std::process::ExitCode;

use gateway_testkit::reference::{Options, USAGE, run};

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|argument| argument == "--help") {
        eprint!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("testkit-upstream: {mistake}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let ended = runtime.block_on(run(options));
    // The thread that reads standard input may wait for a line that never comes.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testkit-upstream: {error}");
            ExitCode::FAILURE
        }
    }
}
