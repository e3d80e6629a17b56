//! A guided tour of a running gateway: `tour http://127.0.0.1:8000 [--server PATH]`.
//!
//! The gateway must have the demo server (`gateway-http --demo`, or `cargo xtask demo`, which runs this
//! tour). Each request is shown as a line for curl. The exit status is 1 when an answer is not as expected.
#![expect(clippy::print_stdout, reason = "it talks to a person")]

mod stage;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: tour URL [--server PATH-OF-DEMO-SERVER]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (url, server) = match words.as_slice() {
        [url] if !url.starts_with('-') => (*url, demo_server()),
        [url, "--server", path] | ["--server", path, url] => (*url, PathBuf::from(path)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tour: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(steps::walk(url, &server)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\ntour: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The demo server that was built beside this program.
fn demo_server() -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    this.with_file_name("demo-server")
}
