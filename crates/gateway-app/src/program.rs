//! What the gateway's programs have in common: from the command line to the exit status.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;

use gateway_core::Result;

use crate::arguments::Arguments;
use crate::config::{Environment, Loaded, Mistakes, load};
use crate::logging::start_logging;

/// The exit status for a mistake in the configuration.
const MISTAKE: u8 = 2;

/// Loads the configuration, starts logging and runs `run` to its end, as the program called `name`. Returns its exit
/// status: 1 where running failed, 2 for a mistake in the configuration.
pub fn run_program<F>(name: &str, arguments: &Arguments, run: impl FnOnce(Loaded) -> F) -> ExitCode
where
    F: Future<Output = Result<()>>,
{
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(error) => return failed(name, &format!("look round: {error}")),
    };
    let loaded = match load(arguments, &environment) {
        Ok(loaded) => loaded,
        Err(mistakes) => return mistaken(name, &mistakes),
    };
    if arguments.check {
        return match loaded.check() {
            Ok(text) => match io::stdout().lock().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(name, &format!("write the configuration: {error}")),
            },
            Err(mistakes) => mistaken(name, &mistakes),
        };
    }
    if let Err(error) = start_logging(&loaded.settings.log) {
        return failed(name, &format!("start logging: {error}"));
    }
    let threads = loaded.settings.threads.get();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(name, &format!("start: {error}")),
    };
    let ended = runtime.block_on(run(loaded));
    // Nobody waits for a thread that still reads standard input: it may never get anything.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(name, &error),
    }
}

fn mistaken(name: &str, mistakes: &Mistakes) -> ExitCode {
    // Nobody is left to tell that this cannot be written.
    let _ = write!(io::stderr().lock(), "{name}: {mistakes}");
    ExitCode::from(MISTAKE)
}

fn failed(name: &str, what: &dyn Display) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "{name}: failed to {what}");
    ExitCode::FAILURE
}
