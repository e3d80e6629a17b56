//! The failures that are known, each with its reason.

use std::fs;
use std::path::Path;

/// One entry: a scenario, or one check of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub scenario: String,
    pub check: Option<String>,
}

/// Reads the entries for `role`. The file has the suite's own format (`--expected-failures`), and here
/// every entry has its reason as a comment on its line.
pub fn read(path: &Path, role: &str) -> Result<Vec<Entry>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    parse(&text, role).map_err(|mistake| format!("{}:{mistake}", path.display()))
}

fn parse(text: &str, role: &str) -> Result<Vec<Entry>, String> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mistake = |what: &str| format!("{}: {what}: {line}", number + 1);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (before, reason) = line.split_once(" #").unwrap_or((line, ""));
        let before = before.trim_end();
        if let Some(name) = before.strip_suffix(':').or_else(|| before.strip_suffix(": []")) {
            if !["server", "client"].contains(&name) {
                return Err(mistake("neither `server:` nor `client:`"));
            }
            name.clone_into(&mut section);
            continue;
        }
        let entry = before.strip_prefix("  - ").ok_or_else(|| mistake("no entry"))?;
        if reason.trim().is_empty() {
            return Err(mistake("the reason is missing (`  - scenario # why`)"));
        }
        let (scenario, check) = match entry.split_once(':') {
            Some((scenario, check)) => (scenario, Some(check.to_owned())),
            None => (entry, None),
        };
        if section == role {
            entries.push(Entry { scenario: scenario.to_owned(), check });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_by_role() {
        let text = "# known\nserver: []\nclient:\n  - auth/x # no OAuth\n  - sse-retry:client-sse # slow\n";
        assert_eq!(parse(text, "server"), Ok(Vec::new()));
        let entries = parse(text, "client").unwrap();
        assert_eq!(entries[0], Entry { scenario: "auth/x".to_owned(), check: None });
        assert_eq!(entries[1].check.as_deref(), Some("client-sse"));
    }

    #[test]
    fn an_entry_needs_its_reason() {
        for (text, part) in
            [("client:\n  - auth/x\n", "2: the reason"), ("other:\n", "1: neither"), ("x\n", "1: no entry")]
        {
            let mistake = parse(text, "client").unwrap_err();
            assert!(mistake.starts_with(part), "{mistake}");
        }
    }
}
