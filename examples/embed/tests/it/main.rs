//! The example does what it says.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;
use std::process::Command;

#[test]
fn finds_and_runs_tools_of_the_demo_server() {
    let program = Path::new(env!("CARGO_BIN_EXE_embed"));
    if !program.with_file_name(format!("demo-server{EXE_SUFFIX}")).exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "demo-server"]).status();
        assert!(built.expect("cargo starts").success(), "the demo server must build");
    }
    let output = Command::new(program).arg("evaluate an arithmetic expression").output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().next().is_some_and(|best| best.contains("demo__calculate")), "{text}");
    assert!(text.contains("calculate of demo answers") && text.contains("42"), "{text}");
}
