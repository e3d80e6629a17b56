//! The Python examples, which are no crates, against a gateway.

use std::path::Path;

use examples_testkit::{Gateway, Program, peer, program};
use serde_json::json;

/// Both scripts, the second in both eras, each with the arguments that lead it to `gateway`.
fn scripts(gateway: &Gateway) -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
    let script = |name: &str, path: &str, more: &[&str]| {
        let words = [folder.join(name).display().to_string(), "--gateway".into(), format!("{}{path}", gateway.url())];
        words.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
    };
    vec![
        script("client_http.py", "", &[]),
        script("client_mcp.py", "/mcp", &[]),
        script("client_mcp.py", "/mcp", &["--mode", "legacy"]),
    ]
}

fn python(script: &[String], more: &[&str]) -> Program {
    let words: Vec<&str> = script.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Program::new(peer("venv/bin/python")).arguments(&words)
}

#[test]
fn the_python_examples_find_pick_and_run_tools() {
    let gateway = Gateway::demo();
    for script in scripts(&gateway) {
        let run = python(&script, &["what time is it in Tokyo"]).typed(&["", "Asia/Tokyo"]).run();
        run.check(0, &["1  0.", "demo__current_time", "+09:00", "(Asia/Tokyo)", "\"timezone\": \"Asia/Tokyo\""]);
        let run = python(&script, &["calculate", "--args", r#"{"expression": "1/0"}"#]).run();
        run.check(1, &["demo__calculate", "division by zero"]);
        let run = python(&script, &["bake a strawberry cake"]).run();
        assert!(run.status == Some(1) && run.err.to_lowercase().contains("no tool fits"), "{run:#?}");
    }
}

#[test]
fn the_python_examples_show_what_a_tool_tells_on_the_way() {
    let upstream = json!({ "command": program("testkit-upstream") });
    let gateway = Gateway::with_servers(&json!({ "reference": upstream }));
    for script in scripts(&gateway) {
        let run = python(&script, &["report progress", "--args", r#"{"steps": 2}"#]).run();
        run.check(0, &["reference__progress", "… 1 step 1", "… 2 step 2"]);
    }
}

#[test]
fn the_python_examples_tell_why_there_is_no_gateway() {
    let gone = Gateway::demo();
    let scripts = scripts(&gone);
    drop(gone);
    for script in scripts {
        let run = python(&script, &["anything"]).run();
        run.check_failure(1, "cannot be asked");
        assert!(!run.err.contains("Traceback"), "{run:#?}");
    }
}
