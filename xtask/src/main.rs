//! The project's own tasks: `cargo xtask help` lists them.
//!
//! This program is compiled first on a fresh machine, so it uses little more than the standard library,
//! and it depends on none of the other crates: it must work when they do not compile.
#![expect(clippy::print_stdout, reason = "these are commands for people")]

mod commands;
mod conformance;
mod demo;
mod eval_routing;
mod peers;
mod process;
mod service;
mod services;
mod suite;
mod tidy;
mod torture;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match commands::run(&arguments) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
