//! A host that is killed leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::*;

/// Starts the example `host` in front of a server.
fn host(arguments: &[&str]) -> (Child, u32) {
    let mut path = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.push("examples/host");
    let mut host = Command::new(&path)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the example `host` is built with the tests");
    let mut line = String::new();
    let stdout = host.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("readable");
    let group = line.trim().parse().expect("a process id");
    (host, group)
}

/// The guards whose parent is `host`, or was.
fn guards_of(host: u32) -> Vec<u32> {
    let text = Command::new("ps").args(["-eo", "pid=,ppid=,args="]).output().expect("ps");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let fields = |line: &str| -> Option<u32> {
        let mut words = line.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let parent: u32 = words.next()?.parse().ok()?;
        (parent == host && line.contains("mcp-gateway-guard")).then_some(pid)
    };
    text.lines().filter_map(fields).collect()
}

#[tokio::test]
async fn a_host_that_is_killed_leaves_nothing() {
    let wrapper = format!(
        "exec 3<&0; trap '' TERM; sleep 600 & (trap '' HUP; sleep 600) & {} {SERVER} stubborn helper <&3 & wait",
        python()
    );
    for arguments in [&[python(), SERVER, "stubborn", "helper"][..], &["sh", "-c", &wrapper]] {
        let (mut host, group) = host(arguments);
        assert!(is_alive(group));
        let guards = guards_of(host.id());
        assert_eq!(guards.len(), 1, "one guard watches over a host");
        host.kill().expect("ours");
        host.wait().expect("killed");
        eventually("the end of the group", || (!is_alive(group)).then_some(())).await;
        eventually("the end of the guard", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", guards[0]));
            stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_host_that_loses_its_guard_is_no_worse_than_without() {
    let (mut host, group) = host(&[python(), SERVER, "stubborn"]);
    let guard = guards_of(host.id())[0].to_string();
    assert!(Command::new("kill").args(["-9", &guard]).status().expect("kill").success());
    assert!(is_alive(group), "the guard's own end kills nobody");
    host.kill().expect("ours");
    host.wait().expect("killed");
    eventually("the end of the leader", || (!is_alive(group)).then_some(())).await;
}
