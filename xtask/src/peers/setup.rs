//! Installs the peers once, and again only when a pin, an interpreter or the place changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{browser, node, python};
use crate::workspace::Workspace;

/// Written last, so that an installation that broke off is begun anew.
const STAMP: &str = "installed.txt";

/// The peers, ready to run.
#[derive(Debug)]
pub struct Peers {
    /// What `MCP_PEERS` is set to.
    pub folder: PathBuf,
    /// Name and version of each server and client, and of the suite.
    pub pinned: Vec<String>,
}

/// Installs what is missing and returns where it is.
pub fn set_up(workspace: &Workspace) -> Result<Peers, String> {
    let pins = workspace.root.join("xtask/peers");
    let folder = workspace.target.join("peers");
    let pinned = [node::pinned(&pins)?, python::pinned(&pins)?].concat();
    let peers = Peers { folder: folder.clone(), pinned };
    let before = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    if !before.is_empty() && before == stamp(&pins, &folder)? {
        return Ok(peers);
    }
    println!("setting up {} in {}", peers.pinned.join(", "), folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    create_folder(&folder.join("bin"))?;
    // Both are looked for first, so that one run names everything that is missing.
    let (node, python) = match (node::interpreter(&folder), python::interpreter()) {
        (Ok(node), Ok(python)) => (node, python),
        (Err(node), Err(python)) => return Err(format!("{node}\n{python}")),
        (Err(missing), _) | (_, Err(missing)) => return Err(missing),
    };
    node::install(&node, &pins, &folder)?;
    python::install(&python, &pins, &folder)?;
    browser::install(&folder)?;
    write(&folder.join(STAMP), &stamp(&pins, &folder)?)?;
    Ok(peers)
}

/// Everything that an installation depends on: the place, the interpreters as they answer now, the pins.
fn stamp(pins: &Path, folder: &Path) -> Result<String, String> {
    let mut text = format!("{}\n", folder.display());
    for interpreter in ["node", "python"] {
        let version = super::node::version_of(&folder.join("bin").join(interpreter)).unwrap_or_default();
        text.push_str(&format!("{interpreter} {version}\n"));
    }
    for file in ["package.json", "package-lock.json", "requirements.txt"] {
        let path = pins.join(file);
        text += &fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    }
    Ok(text)
}

/// Writes a program that runs `interpreter` with `script`. `exec` leaves one process, which gets the signals.
pub fn write_launcher(path: &Path, interpreter: &Path, script: &Path) -> Result<(), String> {
    if !script.exists() {
        return Err(format!("the installation lacks {}", script.display()));
    }
    let line = format!("#!/bin/sh\nexec {} {} \"$@\"\n", quoted(interpreter), quoted(script));
    write(path, &line)?;
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, executable).map_err(|error| format!("cannot mark {} executable: {error}", path.display()))
}

pub fn create_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("cannot create {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A path as one word of a shell line.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_launcher_passes_arguments_on_even_from_an_awkward_path() {
        let folder = std::env::temp_dir().join(format!("xtask's launcher {}", std::process::id()));
        create_folder(&folder).unwrap();
        let script = folder.join("it's.sh");
        write(&script, "printf '%s|' \"$@\"").unwrap();
        let launcher = folder.join("launcher");
        write_launcher(&launcher, Path::new("/bin/sh"), &script).unwrap();
        let said = Command::new(&launcher).args(["a b", "$HOME"]).output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&said), "a b|$HOME|");
        assert!(write_launcher(&launcher, Path::new("/bin/sh"), &folder.join("nothing")).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
