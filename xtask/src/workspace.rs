//! What cargo knows about this workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{cargo, output};

/// The workspace that the current directory belongs to.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The members, in cargo's order.
    pub packages: Vec<Package>,
}

/// A member.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub description: Option<String>,
    /// Its folder, relative to the root.
    pub folder: PathBuf,
    /// What stands in its `[dependencies]` and `[build-dependencies]`.
    pub dependencies: Vec<String>,
    /// What stands in its `[dev-dependencies]`.
    pub dev_dependencies: Vec<String>,
}

impl Workspace {
    /// Asks `cargo metadata`.
    pub fn load() -> Result<Self, String> {
        let mut command = cargo();
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let text = output(&mut command)?;
        let metadata = serde_json::from_str(&text).map_err(|error| format!("cargo metadata is no JSON: {error}"))?;
        Self::parse(&metadata).ok_or_else(|| "cargo metadata lacks a field".to_owned())
    }

    /// Where the programs of a development build are.
    pub fn programs(&self) -> PathBuf {
        self.target.join("debug")
    }

    /// Where services of the tests' own keep what they keep.
    pub fn services(&self) -> PathBuf {
        self.target.join("services")
    }

    /// The gateway, with the settings that it is started with and no others.
    pub fn gateway(&self) -> Command {
        let mut command = Command::new(self.programs().join("gateway-http"));
        without_settings(&mut command);
        command
    }

    /// A cargo command in the root.
    pub fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let root = PathBuf::from(metadata.get("workspace_root")?.as_str()?);
        let target = PathBuf::from(metadata.get("target_directory")?.as_str()?);
        let packages = metadata.get("packages")?.as_array()?;
        let packages = packages.iter().map(|package| Package::parse(package, &root)).collect::<Option<_>>()?;
        Some(Self { root, target, packages })
    }
}

/// Takes away the variables of ours that are settings of a gateway.
pub fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
}

impl Package {
    fn parse(package: &Value, root: &Path) -> Option<Self> {
        let manifest = Path::new(package.get("manifest_path")?.as_str()?);
        let mut dependencies = Vec::new();
        let mut dev_dependencies = Vec::new();
        for dependency in package.get("dependencies")?.as_array()? {
            let name = dependency.get("name")?.as_str()?.to_owned();
            match dependency.get("kind")?.as_str() {
                Some("dev") => dev_dependencies.push(name),
                _ => dependencies.push(name),
            }
        }
        Some(Self {
            name: package.get("name")?.as_str()?.to_owned(),
            description: package.get("description")?.as_str().map(str::to_owned),
            folder: manifest.parent()?.strip_prefix(root).ok()?.to_owned(),
            dependencies,
            dev_dependencies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_their_dependencies_are_read() {
        let metadata = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [{
                "name": "leaf", "description": "A leaf.", "manifest_path": "/w/crates/leaf/Cargo.toml",
                "dependencies": [
                    {"name": "core", "kind": null}, {"name": "kit", "kind": "dev"}, {"name": "cc", "kind": "build"},
                ],
            }],
        });
        let workspace = Workspace::parse(&metadata).unwrap();
        let leaf = &workspace.packages[0];
        assert_eq!(workspace.programs(), Path::new("/w/target/debug"));
        assert_eq!((leaf.name.as_str(), leaf.folder.as_path()), ("leaf", Path::new("crates/leaf")));
        assert_eq!(leaf.dependencies, ["core", "cc"]);
        assert_eq!(leaf.dev_dependencies, ["kit"]);
    }
}
