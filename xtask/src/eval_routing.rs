//! `cargo xtask eval-routing`: builds and runs the program that measures routers.

use std::process::{Command, ExitCode, Stdio};

use crate::process::{cargo, failed_to_start};

/// Builds the program optimized and runs it with `arguments`, in the caller's folder, so that paths mean what they
/// mean there.
pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let mut command = command(arguments);
    let status = command.stdin(Stdio::null()).status().map_err(|error| failed_to_start(&command, &error))?;
    // It has said itself what is wrong.
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--profile", "eval", "--package", "eval-routing"]);
    // It takes long to build, so only those wait for it who use it.
    if arguments.contains(&"--minilm") {
        command.args(["--features", "minilm"]);
    }
    command.arg("--").args(arguments);
    command
}
