//! What the suite wrote down: a folder for each scenario, with a `checks.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The end of a folder's name: `-2026-11-26T15-19-57-781Z`.
const TIMESTAMP: usize = 25;

/// One thing that the suite looked at.
#[derive(Debug)]
pub struct Check {
    pub id: String,
    /// SUCCESS, FAILURE, WARNING, INFO or SKIPPED.
    pub status: String,
    pub message: String,
    pub details: Value,
}

/// A scenario that ran.
#[derive(Debug, Default)]
pub struct Scenario {
    pub checks: Vec<Check>,
    /// The last that the client wrote to standard error, where the suite had one.
    pub last_words: Option<String>,
}

/// Every scenario that ran. The suite puts `prefix` before their names.
pub fn read(folder: &Path, prefix: &str) -> Result<BTreeMap<String, Scenario>, String> {
    let mut scenarios = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let unreadable = |error| format!("cannot read {}: {error}", current.display());
        for entry in current.read_dir().map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "checks.json") {
                // A scenario's name may have a slash, and is then two folders.
                let name = current.strip_prefix(folder).unwrap_or(&current).to_string_lossy();
                let said = fs::read_to_string(current.join("stderr.txt")).unwrap_or_default();
                let last_words = said.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned);
                let ran = Scenario { checks: checks(&path)?, last_words };
                scenarios.insert(scenario(&name, prefix).to_owned(), ran);
            }
        }
    }
    Ok(scenarios)
}

fn scenario<'n>(folder: &'n str, prefix: &str) -> &'n str {
    let name = folder.strip_prefix(prefix).unwrap_or(folder);
    name.get(..name.len().saturating_sub(TIMESTAMP)).unwrap_or(name)
}

fn checks(path: &Path) -> Result<Vec<Check>, String> {
    let wrong = |what: String| format!("{}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let checks: Vec<Value> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    Ok(checks
        .iter()
        .map(|check| Check {
            id: text(check, "id"),
            status: text(check, "status"),
            message: text(check, "errorMessage"),
            details: check["details"].clone(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_its_scenario() {
        let at = "-2026-11-26T15-19-57-781Z";
        assert_eq!(scenario(&format!("server-server-initialize{at}"), "server-"), "server-initialize");
        assert_eq!(scenario(&format!("auth/metadata-var1{at}"), ""), "auth/metadata-var1");
    }
}
