//! The gateway's HTTP server.

use std::process::ExitCode;

use gateway_app::{Arguments, run, run_program};

fn main() -> ExitCode {
    run_program("gateway-http", &Arguments::of_process(), run)
}
