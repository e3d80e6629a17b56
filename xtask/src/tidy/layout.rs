//! The top level of the repository: a short list that a newcomer takes in at a glance.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::process::output;
use crate::workspace::Workspace;

/// What must be there.
const VISIBLE: [&str; 10] =
    ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "bins", "config", "crates", "docs", "examples", "xtask"];

/// What may be there besides.
const HIDDEN: [&str; 7] = [".cargo", ".ci", ".clippy.toml", ".config", ".github", ".gitignore", ".rustfmt.toml"];

/// Looks at what is under version control, or at the folder itself where there is none.
pub fn judge(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut command = std::process::Command::new("git");
    command.current_dir(&workspace.root).args(["ls-files", "-z"]);
    let found: BTreeSet<String> = match output(&mut command) {
        Ok(files) => files.split('\0').filter(|file| !file.is_empty()).map(top).collect(),
        Err(_) => listed(workspace)?,
    };
    Ok(compare(&found))
}

fn top(file: &str) -> String {
    file.split('/').next().unwrap_or(file).to_owned()
}

fn listed(workspace: &Workspace) -> Result<BTreeSet<String>, String> {
    let unreadable = |error| format!("cannot list {}: {error}", workspace.root.display());
    let mut names = BTreeSet::new();
    for entry in workspace.root.read_dir().map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name != "target" && name != ".env" && name != ".git" {
            names.insert(name);
        }
    }
    Ok(names)
}

fn compare(found: &BTreeSet<String>) -> Vec<Finding> {
    let allowed = |name: &&String| VISIBLE.contains(&name.as_str()) || HIDDEN.contains(&name.as_str());
    let extra = found.iter().filter(|name| !allowed(name));
    let missing = VISIBLE.iter().filter(|name| !found.contains(**name));
    let extra = extra.map(|name| Finding::error(name, 1, "does not belong on the top level"));
    extra.chain(missing.map(|name| Finding::error(name, 1, "is missing on the top level"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_is_exactly_as_agreed() {
        let mut found: BTreeSet<String> = VISIBLE.iter().map(|name| (*name).to_owned()).collect();
        found.insert(".github".to_owned());
        assert_eq!(compare(&found), []);
        found.insert("notes.txt".to_owned());
        found.remove("README.md");
        let paths: Vec<_> = compare(&found).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["notes.txt", "README.md"]);
    }
}
