//! The rules for one member's `Cargo.toml`.

use super::finding::Finding;

/// Everything that a member's manifest does against the rules: versions stand in the root alone, the lints
/// are the workspace's, and the crate says what it is.
pub fn judge(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(text) {
        let is_inherited = entry.key.ends_with(".workspace") || entry.value.contains("workspace = true");
        if entry.is_dependency() && !is_inherited {
            let message = format!("`{}` must be declared in the root and say `workspace = true` here", entry.name());
            findings.push(Finding::error(path, entry.line, message));
        }
    }
    let says = |section: &str, key: &str| entries(text).any(|entry| entry.section == section && entry.key == key);
    if !says("lints", "workspace") {
        findings.push(Finding::error(path, 1, "lacks `[lints] workspace = true`"));
    }
    if !says("package", "description") {
        findings.push(Finding::error(path, 1, "lacks a `description`: one sentence, shown in docs/architecture.md"));
    }
    findings
}

/// The line on which a dependency is named; 1 when it is not.
pub fn line_of(text: &str, dependency: &str) -> usize {
    let named = entries(text).find(|entry| entry.is_dependency() && entry.name() == dependency);
    named.map_or(1, |entry| entry.line)
}

/// Dependencies that the root declares and their lines.
pub fn declared(root: &str) -> Vec<(String, usize)> {
    let all = entries(root).filter(|entry| entry.section == "workspace.dependencies");
    all.map(|entry| (entry.name().to_owned(), entry.line)).collect()
}

/// One `key = value` with the section that it stands in.
#[derive(Debug)]
struct Entry<'a> {
    section: String,
    key: &'a str,
    value: &'a str,
    line: usize,
}

impl Entry<'_> {
    fn name(&self) -> &str {
        self.key.split('.').next().unwrap_or(self.key).trim_matches('"')
    }

    /// In `[dependencies]`, `[dev-dependencies]`, `[target.'…'.dependencies]` and so on.
    fn is_dependency(&self) -> bool {
        let last = self.section.rsplit('.').next().unwrap_or_default();
        ["dependencies", "dev-dependencies", "build-dependencies"].contains(&last)
            && self.section != "workspace.dependencies"
    }
}

/// Reads TOML by lines, as far as manifests go. `[dependencies.x]` counts as the entry `x` with its keys as
/// the value; the lines of a list are passed over.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    let mut section = String::new();
    let mut open_brackets = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default().trim();
        if open_brackets == 0 && code.starts_with('[') {
            section = code.trim_matches(['[', ']']).trim().to_owned();
            if let Some((parent, name)) = dependency_table(code) {
                let value = table_after(text, index);
                found.push(Entry { section: parent, key: name, value, line: index + 1 });
                section = "the table of one dependency".to_owned();
            }
            continue;
        }
        if open_brackets == 0
            && let Some((key, value)) = code.split_once('=').filter(|_| !code.starts_with('#'))
        {
            found.push(Entry { section: section.clone(), key: key.trim(), value: value.trim(), line: index + 1 });
        }
        open_brackets += code.matches('[').count();
        open_brackets = open_brackets.saturating_sub(code.matches(']').count());
    }
    found.into_iter()
}

/// Section and name in `[dependencies.name]`.
fn dependency_table(header: &str) -> Option<(String, &str)> {
    let (parent, name) = header.trim_matches(['[', ']']).rsplit_once('.')?;
    parent.ends_with("dependencies").then(|| (parent.to_owned(), name))
}

/// The text of the table whose header stands on the line `header` (from 0).
fn table_after(text: &str, header: usize) -> &str {
    let start = text.lines().take(header + 1).map(|line| line.len() + 1).sum::<usize>().min(text.len());
    let body = &text[start..];
    &body[..body.find("\n[").unwrap_or(body.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"An a.\"\n\n[lints]\nworkspace = true\n";

    fn check(dependencies: &str, expected: &[(usize, &str)]) {
        let text = format!("{GOOD}{dependencies}");
        let findings = judge("Cargo.toml", &text);
        let found: Vec<_> = findings
            .iter()
            .map(|finding| (finding.line, finding.message.split('`').nth(1).unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{dependencies}");
    }

    #[test]
    fn versions_stand_in_the_root() {
        check("[dependencies]\na.workspace = true\nb = { workspace = true, features = [\n  \"c\",\n] }\n", &[]);
        check("[dependencies.a]\nworkspace = true\n[dev-dependencies]\nb.workspace = true # why\n", &[]);
        check("[features]\na = []\n[[bin]]\nname = \"b\"\n", &[]);
        check("[dependencies]\na = \"1\"\n", &[(8, "a")]);
        check("[dev-dependencies]\na = { version = \"1\" }\nb = { path = \"../b\" }\n", &[(8, "a"), (9, "b")]);
        check("[target.'cfg(unix)'.dependencies]\na = \"1\"\n", &[(8, "a")]);
        check("[build-dependencies.a]\nversion = \"1\"\n\n[features]\nx = []\n", &[(7, "a")]);
    }

    #[test]
    fn a_crate_says_what_it_is() {
        let findings = judge("Cargo.toml", "[package]\nname = \"a\"\n");
        assert_eq!(findings.len(), 2, "{findings:?}");
    }

    #[test]
    fn lines_are_found() {
        let text = format!("{GOOD}[dependencies]\nab.workspace = true\na.workspace = true\n");
        assert_eq!((line_of(&text, "a"), line_of(&text, "ab"), line_of(&text, "c")), (9, 8, 1));
        let root = "[workspace.dependencies]\n# Ours.\na = { path = \"a\" }\nb = \"1\"\n[profile.dev]\ndebug = 1\n";
        assert_eq!(declared(root), [("a".to_owned(), 3), ("b".to_owned(), 4)]);
    }
}
