//! `cargo xtask torture`: builds the gateway and runs the program that treats it badly.

use std::process::{Command, ExitCode, Stdio};

use crate::process::{failed_to_start, run as run_command};
use crate::workspace::Workspace;

/// What `cargo xtask torture` without a word does.
const WHOLE: [&str; 1] = ["queue"];

/// Builds and runs it, with `arguments` or as a whole.
pub fn run(workspace: &Workspace, arguments: &[&str]) -> Result<ExitCode, String> {
    let mut build = workspace.cargo();
    // All of it, as the tests do, so that nothing is built twice for other features.
    run_command(build.args(["build", "--workspace", "--bins", "--tests"]))?;
    let mut command = Command::new(workspace.programs().join("torture"));
    let is_named = arguments.first().is_some_and(|first| !first.starts_with('-') || *first == "--help");
    command.args(if is_named { &[] } else { WHOLE.as_slice() }).args(arguments);
    if arguments.iter().all(|argument| *argument != "--help") {
        command.arg("--bin-dir").arg(workspace.programs());
    }
    let status = command.stdin(Stdio::null()).status().map_err(|error| failed_to_start(&command, &error))?;
    // It has said itself what is wrong.
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
