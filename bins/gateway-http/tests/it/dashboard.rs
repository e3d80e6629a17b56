//! The dashboard in a real browser: every control, on a desk and on a phone, in light and in dark. The screenshots are
//! kept in `target/ui-screenshots`, to be looked at.

use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_testkit::reference::{self, ReferenceProcess};
use serde_json::{Value, json};

use crate::gateway::Place;
use crate::upstreams::{peer, stdio, with_servers};

const KEY: &str = "the-key-of-this-test";

#[test]
fn on_a_desk_in_light() {
    look(1280, "light", None);
}

#[test]
fn on_a_desk_in_dark() {
    look(1280, "dark", None);
}

#[test]
fn on_a_phone_in_light() {
    look(390, "light", None);
}

#[test]
fn on_a_phone_in_dark() {
    look(390, "dark", None);
}

#[test]
fn with_a_key() {
    look(1280, "light", Some(KEY));
}

/// Takes the browser through everything.
fn look(width: u32, scheme: &str, key: Option<&str>) {
    let place = key.into_iter().fold(place(), |place, key| place.variable("GATEWAY_API_KEY", key));
    let gateway = place.start(&["--demo"]);
    let upstream = ReferenceProcess::http(&["--era", "both"]);
    let settings = json!({
        "url": format!("http://{}/ui", gateway.address),
        "folder": screenshots(),
        "width": width,
        "scheme": scheme,
        "key": key,
        "upstream": upstream.url(),
        "program": reference::program(),
        "args": ["--era", "both", "--stderr", "started from the browser"],
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/dashboard.mjs");
    let mut browser = Command::new(peer("node"));
    let said = browser.arg(script).arg(settings.to_string()).output().expect("node runs");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{out}\n{err}");
    assert!(out.contains("screenshots in"), "{out}\n{err}");
}

/// Servers that are well, one that never is, and many tools.
fn place() -> Place {
    let crashing =
        json!({ "command": "sh", "args": ["-c", "echo 'cannot read <img src=x onerror=alert(1)>' >&2; exit 3"] });
    let servers: [(&str, Value); 4] = [
        ("reference", stdio(&["--era", "both", "--stderr", "warming up"])),
        ("conformance", stdio(&["--conformance", "--era", "both"])),
        ("filler", stdio(&["--tools", "120"])),
        ("crashing", crashing),
    ];
    with_servers(&servers)
}

/// `target/ui-screenshots`: above the folder that this test's own program is in.
fn screenshots() -> PathBuf {
    let program = std::env::current_exe().expect("the test has a path");
    program.ancestors().nth(3).expect("it is in target/debug/deps").join("ui-screenshots")
}
