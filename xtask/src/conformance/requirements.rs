//! The suite's requirement sets: which scenarios a revision scores.

use std::fs;
use std::path::Path;

/// Reads the scenarios of `role` from a requirement set. It is YAML of one shape: a key that ends with a
/// colon, and below it one scenario a line.
pub fn read(path: &Path, role: &str) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let scenarios = parse(&text, role);
    if scenarios.is_empty() {
        return Err(format!("{} requires nothing of a {role}", path.display()));
    }
    Ok(scenarios)
}

fn parse(text: &str, role: &str) -> Vec<String> {
    let below = text.lines().skip_while(|line| line.trim_end().strip_suffix(':') != Some(role)).skip(1);
    let section = below.take_while(|line| !line.ends_with(':'));
    section.filter_map(|line| line.strip_prefix("  - ")).map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let text = "# server: not here\nserver:\n  - ping\n  - auth/x\n\nclient:\n  - initialize\n\nnot_scored:\n\
                    \x20 - scenario: extra\n    leg: server\n";
        assert_eq!(parse(text, "server"), ["ping", "auth/x"]);
        assert_eq!(parse(text, "client"), ["initialize"]);
        assert!(parse(text, "other").is_empty());
    }
}
