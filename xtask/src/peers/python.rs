//! Python and the peers from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use super::setup::write_launcher;
use crate::process::{find, output, run};

/// The oldest Python that the peers run on, as the interpreter compares it.
const OLDEST: &str = "(3, 10)";

/// The servers; each is a program of the same name in the virtual environment.
const SERVERS: [&str; 2] = ["mcp-server-time", "mcp-server-git"];

/// The clients, which tests load as libraries.
const CLIENTS: [&str; 3] = ["mcp", "fastmcp-slim", "redis"];

/// What the requirements pin, as `name version`.
pub fn pinned(pins: &Path) -> Result<Vec<String>, String> {
    let path = pins.join("requirements.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let version = |package: &str| text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    SERVERS
        .iter()
        .chain(&CLIENTS)
        .map(|package| Some(format!("{package} {}", version(package)?)))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{} does not pin every package", path.display()))
}

/// Finds a Python that can make virtual environments, and git for the server of that name; as root on
/// Debian it installs what is missing.
pub fn interpreter() -> Result<PathBuf, String> {
    if usable().is_none() || find("git").is_none() {
        apt::install(&["python3", "python3-venv", "git"]).map_err(|why| {
            format!(
                "Python 3.10 or newer with venv and pip, or git, is missing: install python3, python3-venv, git ({why})"
            )
        })?;
    }
    usable().ok_or_else(|| "Python was installed, yet it is older than 3.10 or lacks venv".to_owned())
}

/// Installs exactly what the requirements name.
pub fn install(python: &Path, pins: &Path, folder: &Path) -> Result<(), String> {
    let home = folder.join("venv");
    run(Command::new(python).args(["-m", "venv"]).arg(&home))?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    run(pip.arg("--requirement").arg(pins.join("requirements.txt")))?;
    let link = folder.join("bin/python");
    // A link would lose the environment: Python looks for it beside the path that it was called by.
    let interpreter = home.join("bin/python");
    write_launcher(&link, Path::new("/usr/bin/env"), &interpreter)?;
    for server in SERVERS {
        write_launcher(&folder.join("bin").join(server), &interpreter, &home.join("bin").join(server))?;
    }
    Ok(())
}

fn usable() -> Option<PathBuf> {
    let python = find("python3")?;
    let check = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST})");
    output(Command::new(&python).args(["-c", &check])).is_ok().then_some(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let pinned = pinned(&pins).unwrap();
        assert!(pinned[1].starts_with("mcp-server-git 20") && pinned.len() == 5, "{pinned:?}");
    }
}
