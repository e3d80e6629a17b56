//! The tasks as programs: `tidy` on a small workspace that breaks the rules, and the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn xtask(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).current_dir(folder).args(arguments).output().expect("xtask starts")
}

/// A workspace in a folder of its own, removed at the end.
struct Workspace {
    root: PathBuf,
}

impl Workspace {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
            fs::write(path, text).expect("files can be written");
        }
        for folder in ["bins", "config", "docs", "examples"] {
            fs::create_dir_all(root.join(folder)).expect("folders can be made");
        }
        Self { root }
    }

    /// What `tidy` printed, and whether it was content.
    fn tidy(&self, arguments: &[&str]) -> (String, bool) {
        let output = xtask(&self.root, &[&["tidy"], arguments].concat());
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&said).into_owned(), output.status.success())
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.root));
    }
}

const ROOT: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\", \"xtask\"]\n\
    [workspace.dependencies]\nrouter-a = { path = \"crates/router-a\" }\nserve-a = { path = \"crates/serve-a\" }\n";

fn manifest(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\ndescription = \"It is {name}.\"\n\
        [lints]\nworkspace = true\n{more}"
    )
}

#[test]
fn a_workspace_that_keeps_the_rules_passes_and_its_table_is_written() {
    let root = format!("{ROOT}[workspace.lints.rust]\nmissing_docs = \"warn\"\n");
    let files = [
        ("Cargo.toml", root.as_str()),
        ("Cargo.lock", "version = 4\n"),
        ("LICENSE", ""),
        ("README.md", ""),
        ("docs/architecture.md", "<!-- crates:begin -->\n<!-- crates:end -->\n"),
        ("crates/router-a/Cargo.toml", &manifest("router-a", "")),
        ("crates/router-a/src/lib.rs", "//! A.\nmod a;\n"),
        ("crates/router-a/src/a.rs", "//! A.\n"),
        ("crates/serve-a/Cargo.toml", &manifest("serve-a", "[dev-dependencies]\nrouter-a.workspace = true\n")),
        ("crates/serve-a/src/lib.rs", "//! A.\n"),
        ("crates/serve-a/tests/it/main.rs", "fn a() { b.unwrap(); }\n"),
        ("xtask/Cargo.toml", &manifest("xtask", "")),
        ("xtask/src/main.rs", "//! Tasks.\nfn main() {}\n"),
    ];
    let workspace = Workspace::new("good", &files);
    let (said, content) = workspace.tidy(&[]);
    assert!(!content && said.contains("docs/architecture.md:1: error: the table of crates is out of date"), "{said}");
    let (said, content) = workspace.tidy(&["--fix"]);
    assert!(content, "{said}");
    let (said, content) = workspace.tidy(&[]);
    assert!(content && said.contains("0 errors, 0 warnings in 5 source files"), "{said}");
    let table = fs::read_to_string(workspace.root.join("docs/architecture.md")).expect("the table was written");
    assert!(table.contains("| leaf | [`router-a`](../crates/router-a) | It is router-a. |"), "{table}");
}

#[test]
fn a_workspace_that_breaks_them_hears_where() {
    let root = format!("{ROOT}unused = \"1\"\n[workspace.lints.rust]\nmissing_docs = \"warn\"\n");
    let files = [
        ("Cargo.toml", root.as_str()),
        ("LICENSE", ""),
        ("notes.txt", ""),
        ("crates/router-a/Cargo.toml", &manifest("router-a", "[dependencies]\nserve-a.workspace = true\n")),
        ("crates/router-a/src/lib.rs", "//! A.\nmod a;\n#[cfg(test)]\nmod tests;\npub struct B;\n"),
        ("crates/router-a/src/a.rs", "//! A.\n#[allow(dead_code)]\nfn a() {\n    b\n        .unwrap();\n}\n"),
        ("crates/router-a/src/tests.rs", "fn a() { b.unwrap(); }\n"),
        ("crates/serve-a/Cargo.toml", "[package]\nname = \"serve-a\"\nversion = \"0.1.0\"\n"),
        ("crates/serve-a/src/lib.rs", "//! A.\n"),
        ("crates/misc/Cargo.toml", &manifest("misc", "[dependencies]\nserve-a = { path = \"../serve-a\" }\n")),
        ("crates/misc/src/lib.rs", "//! A.\n"),
        ("xtask/Cargo.toml", &manifest("xtask", "")),
        ("xtask/src/main.rs", "//! Tasks.\nfn main() {}\n"),
    ];
    let workspace = Workspace::new("bad", &files);
    let (said, content) = workspace.tidy(&[]);
    assert!(!content, "{said}");
    let expected = [
        "Cargo.lock:1: error: is missing on the top level",
        "Cargo.toml:7: error: nobody uses `unused`",
        "README.md:1: error: is missing on the top level",
        "crates/misc/Cargo.toml:1: error: `misc` has no layer",
        "crates/misc/Cargo.toml:9: error: `serve-a` must be declared in the root",
        "crates/router-a/Cargo.toml:9: error: `router-a` must not depend on `serve-a`: arrows only point down",
        "crates/router-a/src/a.rs:2: error: no `#[allow]`",
        "crates/router-a/src/a.rs:5: error: no `unwrap`",
        "crates/router-a/src/lib.rs:5: error: `lib.rs` only declares",
        "crates/serve-a/Cargo.toml:1: error: lacks `[lints] workspace = true`",
        "crates/serve-a/Cargo.toml:1: error: lacks a `description`",
        "docs/architecture.md:1: error: is missing",
        "notes.txt:1: error: does not belong on the top level",
        "tidy: 13 errors, 0 warnings in 6 source files",
    ];
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
    }
}

#[test]
fn an_impure_core_is_found() {
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\", \"tower\"]\n\
        [workspace.lints.rust]\nmissing_docs = \"warn\"\n";
    let files = [
        ("Cargo.toml", root),
        (
            "crates/gateway-core/Cargo.toml",
            &manifest("gateway-core", "[dependencies]\ntower = { path = \"../../tower\" }\n"),
        ),
        ("crates/gateway-core/src/lib.rs", "//! A.\n"),
        ("tower/Cargo.toml", &manifest("tower", "")),
        ("tower/src/lib.rs", "//! A.\n"),
    ];
    let workspace = Workspace::new("impure", &files);
    let (said, content) = workspace.tidy(&[]);
    let expected = "crates/gateway-core/Cargo.toml:9: error: gateway-core must not draw in `tower`";
    assert!(!content && said.lines().any(|line| line.starts_with(expected)), "{said}");
}

#[test]
fn the_command_line_helps_and_refuses() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for arguments in [&["help"][..], &["--help"], &[]] {
        let output = xtask(here, arguments);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("cargo xtask demo"));
    }
    for arguments in [&["dmeo"][..], &["demo", "--twice"], &["tidy", "fix"]] {
        let output = xtask(here, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no such task"), "{arguments:?}");
    }
}
