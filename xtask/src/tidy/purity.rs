//! `gateway-core` draws in no protocol, broker or child process, not even through another crate.

use super::finding::Finding;
use super::manifest;
use crate::process::output;
use crate::workspace::Workspace;

/// Crates that the core must not draw in.
const FORBIDDEN: [&str; 12] =
    ["aws-lc-rs", "axum", "http", "hyper", "mio", "redis", "reqwest", "rmcp", "rustls", "socket2", "sqlx", "tower"];

/// Features of tokio that the core must not switch on.
const FORBIDDEN_FEATURES: [&str; 5] = ["full", "fs", "net", "process", "signal"];

/// Asks cargo what `gateway-core` is built from.
pub fn judge(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let Some(core) = workspace.packages.iter().find(|package| package.name == "gateway-core") else {
        return Ok(Vec::new());
    };
    let path = core.folder.join("Cargo.toml");
    let text = std::fs::read_to_string(workspace.root.join(&path))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut command = workspace.cargo();
    command.args(["tree", "--package", "gateway-core", "--edges", "normal,features", "--prefix", "none"]);
    let tree = output(&mut command)?;
    let path = path.to_string_lossy();
    let found = offences(&tree);
    Ok(found
        .map(|(crate_name, message)| Finding::error(&path, manifest::line_of(&text, &crate_name), message))
        .collect())
}

/// Crate and message for each thing in the tree that must not be there.
fn offences(tree: &str) -> impl Iterator<Item = (String, String)> {
    let mut found: Vec<(String, String)> = tree.lines().filter_map(offence).collect();
    found.sort();
    found.dedup();
    found.into_iter()
}

fn offence(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once(' ')?;
    if FORBIDDEN.contains(&name) {
        return Some((
            name.to_owned(),
            format!("gateway-core must not draw in `{name}`; `cargo tree -i {name}` tells how"),
        ));
    }
    let feature = rest.strip_prefix("feature \"")?.split('"').next()?;
    (name == "tokio" && FORBIDDEN_FEATURES.contains(&feature)).then(|| {
        (name.to_owned(), format!("gateway-core must not switch on tokio's `{feature}`: a leaf does that for itself"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_core_must_not_have_is_found_once() {
        let tree = "gateway-core v0.1.0 (/w/crates/gateway-core)\ntokio feature \"rt\"\ntokio feature \"net\"\n\
            tokio v1.54.1\nmio v1.2.4\nmio v1.2.4 (*)\nhttp-body v1.0.0\nhashbrown feature \"net\"\n";
        let names: Vec<_> = offences(tree).map(|(name, _)| name).collect();
        assert_eq!(names, ["mio", "tokio"]);
    }
}
