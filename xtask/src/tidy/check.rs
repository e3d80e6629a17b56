//! Runs every rule over the whole repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::finding::{Finding, Severity};
use super::source::Source;
use super::{layers, layout, manifest, purity, rules, table};
use crate::workspace::{Package, Workspace};

/// The document with the generated table.
const ARCHITECTURE: &str = "docs/architecture.md";
/// Lines of all the source of one of the gateway's programs.
const MAX_BINARY_LINES: usize = 60;

/// What to do with what is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// Compare.
    Check,
    /// Write it anew.
    Write,
}

/// Prints what is wrong; fails when something is an error.
pub fn run(workspace: &Workspace, generated: Generated) -> Result<ExitCode, String> {
    let mut findings = layout::judge(workspace)?;
    findings.extend(purity::judge(workspace)?);
    findings.extend(table_of_crates(workspace, generated)?);
    findings.extend(root_manifest(workspace)?);
    let mut files = 0;
    for package in &workspace.packages {
        findings.extend(judge_manifest(workspace, package)?);
        files += judge_sources(workspace, package, &mut findings)?;
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    println!("tidy: {errors} errors, {} warnings in {files} source files", findings.len() - errors);
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(workspace: &Workspace, path: &Path) -> Result<String, String> {
    fs::read_to_string(workspace.root.join(path)).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn table_of_crates(workspace: &Workspace, generated: Generated) -> Result<Vec<Finding>, String> {
    let path = Path::new(ARCHITECTURE);
    let Ok(document) = read(workspace, path) else {
        return Ok(vec![Finding::error(ARCHITECTURE, 1, "is missing")]);
    };
    let wanted = match table::with_table(&document, &workspace.packages) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(vec![Finding::error(ARCHITECTURE, 1, why)]),
    };
    if wanted == document {
        return Ok(Vec::new());
    }
    if generated == Generated::Write {
        fs::write(workspace.root.join(path), wanted)
            .map_err(|error| format!("cannot write {ARCHITECTURE}: {error}"))?;
        println!("{ARCHITECTURE}: the table of crates is up to date now");
        return Ok(Vec::new());
    }
    let message = "the table of crates is out of date: run `cargo xtask tidy --fix`";
    Ok(vec![Finding::error(ARCHITECTURE, table::line_in(&document), message)])
}

/// Declared dependencies that nobody uses, and a lock that draws in what we never want.
fn root_manifest(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let text = read(workspace, Path::new("Cargo.toml"))?;
    let all = workspace.packages.iter().flat_map(|package| [&package.dependencies, &package.dev_dependencies]);
    let used: BTreeSet<&str> = all.flatten().map(String::as_str).collect();
    let ours: BTreeSet<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let declared = manifest::declared(&text).into_iter();
    let unused = declared.filter(|(name, _)| !used.contains(name.as_str()) && !ours.contains(name.as_str()));
    let mut findings: Vec<Finding> =
        unused.map(|(name, line)| Finding::error("Cargo.toml", line, format!("nobody uses `{name}`"))).collect();
    // Where it is missing, the layout says so.
    let lock = read(workspace, Path::new("Cargo.lock")).unwrap_or_default();
    if let Some(line) = lock.lines().position(|line| line == "name = \"aws-lc-rs\"") {
        findings.push(Finding::error("Cargo.lock", line + 1, "TLS is rustls with ring, never aws-lc"));
    }
    Ok(findings)
}

fn judge_manifest(workspace: &Workspace, package: &Package) -> Result<Vec<Finding>, String> {
    let path = package.folder.join("Cargo.toml");
    let text = read(workspace, &path)?;
    let path = path.to_string_lossy();
    let mut findings = manifest::judge(&path, &text);
    let Some(layer) = layers::layer_of(&package.folder, &package.name) else {
        let message = format!("`{}` has no layer: its name must say its role (see docs/architecture.md)", package.name);
        findings.push(Finding::error(&path, 1, message));
        return Ok(findings);
    };
    for name in &package.dependencies {
        let Some(other) = workspace.packages.iter().find(|other| other.name == *name) else { continue };
        let Some(below) = layers::layer_of(&other.folder, name) else { continue };
        if let Some(why) = layers::forbids((layer, &package.name), (below, name)) {
            let message = format!("`{}` must not depend on `{name}`: {why}", package.name);
            findings.push(Finding::error(&path, manifest::line_of(&text, name), message));
        }
    }
    Ok(findings)
}

/// Judges every Rust file of a package; returns how many there are.
fn judge_sources(workspace: &Workspace, package: &Package, findings: &mut Vec<Finding>) -> Result<usize, String> {
    let mut files = Vec::new();
    collect(&workspace.root.join(&package.folder), &mut files)?;
    let mut texts = Vec::new();
    for file in &files {
        let path = file.strip_prefix(&workspace.root).unwrap_or(file);
        texts.push((path.to_string_lossy().into_owned(), read(workspace, path)?));
    }
    let test_files = test_modules(&texts);
    let mut program_lines = 0;
    for (path, text) in &texts {
        let in_package = Path::new(path).strip_prefix(&package.folder).unwrap_or(Path::new(path));
        let is_test = in_package.starts_with("tests")
            || in_package.starts_with("benches")
            || test_files.iter().any(|module| module.contains(path));
        findings.extend(rules::judge(&Source::new(path, text, is_test)));
        if in_package.starts_with("src") {
            program_lines += text.lines().count();
        }
    }
    if package.folder.starts_with("bins") && program_lines > MAX_BINARY_LINES {
        let path = package.folder.join("src/main.rs");
        let message = format!("a binary is thin: {program_lines} lines of source, more than {MAX_BINARY_LINES}");
        findings.push(Finding::error(&path.to_string_lossy(), 1, message));
    }
    Ok(files.len())
}

/// A module that is declared under `#[cfg(test)]` and stands in a file or folder of its own.
struct TestModule {
    folder: PathBuf,
    name: String,
}

impl TestModule {
    fn contains(&self, path: &str) -> bool {
        let whole = self.folder.join(&self.name);
        Path::new(path).starts_with(&whole) || Path::new(path) == whole.with_extension("rs")
    }
}

fn test_modules(texts: &[(String, String)]) -> Vec<TestModule> {
    let mut modules = Vec::new();
    for (path, text) in texts {
        let path = Path::new(path);
        let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| path.ends_with(root));
        let folder = if is_root { path.parent().unwrap_or(path).to_owned() } else { path.with_extension("") };
        let source = Source::new("", text, false);
        let names = source.test_modules().into_iter().map(str::to_owned);
        modules.extend(names.map(|name| TestModule { folder: folder.clone(), name }));
    }
    modules
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error| format!("cannot list {}: {error}", folder.display());
    for entry in folder.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}
