//! The gateway's MCP server, over Streamable HTTP or stdio.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use gateway_app::{Arguments, Environment, Mistakes};

/// The exit status for a mistake in the configuration.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::of_mcp_process();
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(error) => return failed(&format!("look round: {error}")),
    };
    let loaded = match gateway_app::load(&arguments, &environment) {
        Ok(loaded) => loaded,
        Err(mistakes) => return mistaken(&mistakes),
    };
    if arguments.check {
        return match loaded.check() {
            Ok(text) => match io::stdout().lock().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&format!("write the configuration: {error}")),
            },
            Err(mistakes) => mistaken(&mistakes),
        };
    }
    if let Err(error) = gateway_app::start_logging(&loaded.settings.log) {
        return failed(&format!("start logging: {error}"));
    }
    let threads = loaded.settings.threads.get();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("start: {error}")),
    };
    let ended = runtime.block_on(gateway_app::run_mcp(loaded));
    // Nobody waits for a thread that still reads standard input: it may never get anything.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn mistaken(mistakes: &Mistakes) -> ExitCode {
    // Nobody is left to tell that this cannot be written.
    let _ = write!(io::stderr().lock(), "gateway-mcp: {mistakes}");
    ExitCode::from(MISTAKE)
}

fn failed(what: &dyn Display) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "gateway-mcp: failed to {what}");
    ExitCode::FAILURE
}
