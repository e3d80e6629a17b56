//! Node and the peers from npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use super::setup::{create_folder, write_launcher};
use crate::process::{find, output, run};

/// The oldest Node that everything here runs on, major and minor; the inspector needs it.
const OLDEST: (u32, u32) = (22, 19);

/// Brought by npm where the system's Node is older, as in Debian 12.
const BROUGHT: &str = "24.21.0";

/// The packages with a program: its name, the package, the script in it.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("mcp-server-everything", "@modelcontextprotocol/server-everything", "dist/index.js"),
    ("mcp-server-filesystem", "@modelcontextprotocol/server-filesystem", "dist/index.js"),
    ("mcp-conformance", SUITE, "dist/index.js"),
    ("mcp-inspector", "@modelcontextprotocol/inspector", "clients/launcher/build/index.js"),
];

/// The official conformance suite.
const SUITE: &str = "@modelcontextprotocol/conformance";

/// What tests load as libraries: the official client, and what drives a browser.
const LIBRARIES: [&str; 2] = ["@modelcontextprotocol/client", "playwright-core"];

/// A Node that is new enough, and npm.
pub struct Interpreter {
    node: PathBuf,
    npm: PathBuf,
}

/// What the lock file pins, as `name version`.
pub fn pinned(pins: &Path) -> Result<Vec<String>, String> {
    let path = pins.join("package-lock.json");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lock: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{} is no JSON: {error}", path.display()))?;
    let version = |package: &str| lock["packages"][format!("node_modules/{package}")]["version"].as_str();
    PROGRAMS
        .iter()
        .map(|(program, package, _)| (*program, *package))
        .chain(LIBRARIES.map(|library| (library, library)))
        .map(|(shown, package)| Some(format!("{shown} {}", version(package)?)))
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{} does not pin every package", path.display()))
}

/// Finds Node and npm; as root on Debian it installs what is missing.
pub fn interpreter(folder: &Path) -> Result<Interpreter, String> {
    if find("node").is_none() || find("npm").is_none() {
        apt::install(&["nodejs", "npm"]).map_err(|why| {
            format!(
                "Node {} or newer with npm is missing: install it from https://nodejs.org or your system ({why})",
                oldest()
            )
        })?;
    }
    let (Some(node), Some(npm)) = (find("node"), find("npm")) else {
        return Err("Node was installed, yet `node` or `npm` is not on the PATH".to_owned());
    };
    let version = version_of(&node)?;
    if release(&version) >= Some(OLDEST) {
        return Ok(Interpreter { node, npm });
    }
    println!("node is {version}; bringing {BROUGHT}");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(format!("Node {} or newer is missing, and npm brings none for {other}", oldest())),
    };
    let package = format!("node-linux-{architecture}");
    let home = folder.join("node");
    create_folder(&home)?;
    let mut install = Command::new(&npm);
    install.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]);
    run(install.arg(&home).arg(format!("{package}@{BROUGHT}")).current_dir(&home))?;
    Ok(Interpreter { node: home.join("node_modules").join(package).join("bin/node"), npm })
}

/// Installs exactly what the lock file names.
pub fn install(interpreter: &Interpreter, pins: &Path, folder: &Path) -> Result<(), String> {
    let home = folder.join("npm");
    create_folder(&home)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pins.join(file), home.join(file)).map_err(|error| format!("cannot copy {file}: {error}"))?;
    }
    let mut ci = Command::new(&interpreter.npm);
    // What is optional are native parts of the inspector's web page, and its access to the system's keyring.
    ci.args(["ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel", "error"]);
    run(ci.current_dir(&home))?;
    let link = folder.join("bin/node");
    std::os::unix::fs::symlink(&interpreter.node, &link)
        .map_err(|error| format!("cannot link {}: {error}", link.display()))?;
    for (program, package, script) in PROGRAMS {
        let script = home.join("node_modules").join(package).join(script);
        write_launcher(&folder.join("bin").join(program), &interpreter.node, &script)?;
    }
    Ok(())
}

/// Where the conformance suite says what a revision requires.
pub fn requirements(folder: &Path, revision: &str) -> PathBuf {
    folder.join("npm/node_modules").join(SUITE).join("requirements").join(format!("{revision}.yaml"))
}

/// What `program --version` prints.
pub fn version_of(program: &Path) -> Result<String, String> {
    output(Command::new(program).arg("--version")).map(|text| text.trim().to_owned())
}

/// (20, 11) of `v20.11.1`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn oldest() -> String {
    format!("{}.{}", OLDEST.0, OLDEST.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_told_from_new_ones() {
        for (version, enough) in [
            ("v18.20.4", false),
            ("v22.9.0", false),
            ("v22.19.0", true),
            ("v9.9.9", false),
            ("24.1", true),
            ("", false),
        ] {
            assert_eq!(release(version) >= Some(OLDEST), enough, "{version}");
        }
    }

    #[test]
    fn every_package_is_pinned() {
        let pins = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let pinned = pinned(&pins).unwrap();
        assert!(pinned[0].starts_with("mcp-server-everything 20") && pinned.len() == 6, "{pinned:?}");
    }
}
