//! The official Python SDK as the client, over standard input and output.

use std::process::Command;

use gateway_testkit::reference::ReferenceProcess;

use crate::everything::Everything;
use crate::program::peer;

/// What the client does; it ends with status 0 where everything was as it should be.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sdk_client.py");

#[track_caller]
fn check(what: &str, mode: &str, url: &str) {
    let done = Command::new(peer("python"))
        .args([CLIENT, env!("CARGO_BIN_EXE_gateway-mcp"), url, what, mode])
        .output()
        .expect("python can be started");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && out.ends_with("all is well\n"), "{what} {mode}: {out}\n{err}");
}

#[test]
fn it_uses_a_server_that_others_wrote() {
    let server = Everything::start();
    check("everything", "legacy", &server.url());
    // It asks first whether the server is of the newer era.
    check("everything", "auto", &server.url());
}

#[test]
fn it_uses_the_newer_era() {
    for (mode, arguments) in
        [("2026-07-28", &["--era", "both"][..]), ("auto", &["--era", "both"]), ("auto", &["--era", "modern", "--sse"])]
    {
        let server = ReferenceProcess::http(arguments);
        check("reference", mode, server.url());
    }
}
