//! Running other programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `cargo` as this task was started with.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command with our own output; an error names it when it fails.
pub fn run(command: &mut Command) -> Result<(), String> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| failed_to_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs a command silently and returns what it wrote to stdout; an error carries its stderr.
pub fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed_to_start(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` failed ({})\n{}", shown(command), output.status, said.trim_end()))
}

/// Runs a command, passes its stdout and stderr on line by line, and shows each line to `see`. True when it
/// succeeded.
pub fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool, String> {
    let (reader, writer) = std::io::pipe().map_err(|error| format!("no pipe: {error}"))?;
    let second = writer.try_clone().map_err(|error| format!("no pipe: {error}"))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second);
    let spawned = command.spawn();
    let name = shown(command);
    // The command holds the writing ends; the reader would wait for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned.map_err(|error| format!("`{name}` did not start: {error}"))?;
    for line in lossy_lines(reader) {
        println!("{line}");
        see(&line);
    }
    let status = child.wait().map_err(|error| format!("`{name}` cannot be waited for: {error}"))?;
    std::io::stdout().flush().map_err(|error| format!("stdout is gone: {error}"))?;
    Ok(status.success())
}

/// The lines of a stream, with what is not UTF-8 replaced.
pub fn lossy_lines(stream: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(stream)
        .split(b'\n')
        .map_while(Result::ok)
        .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
}

/// Where a program is, looked for as a shell would.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// What to say of a command that did not start.
pub fn failed_to_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` did not start: {error}", shown(command))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_stdout_or_an_error_with_stderr() {
        let mut good = Command::new("sh");
        good.args(["-c", "echo out; echo err >&2"]);
        assert_eq!(output(&mut good).unwrap(), "out\n");
        let mut bad = Command::new("sh");
        bad.args(["-c", "echo why >&2; exit 3"]);
        let message = output(&mut bad).unwrap_err();
        assert!(message.contains("exit status: 3") && message.ends_with("why"), "{message}");
        let message = output(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(message.starts_with("`program` did not start"), "{message}");
    }

    #[test]
    fn watch_sees_both_streams_and_the_status() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf '\\377 three'; exit 1"]);
        assert_eq!(watch(&mut command, |line| seen.push(line.to_owned())), Ok(false));
        assert_eq!(seen, ["one", "two", "\u{fffd} three"]);
    }

    #[test]
    fn find_looks_along_the_path() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
