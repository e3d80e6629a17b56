//! A gateway with a data directory: what a restart keeps, and databases that are not its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::gateway::{Place, Running};
use crate::http::{Request, call};
use crate::upstreams::{and, stdio, with_servers};

const SECRET: &str = "hush-of-this-server";

fn place() -> Place {
    with_servers(&[("filed", stdio(&[]))]).variable("GATEWAY__DATA__DIR", "data")
}

fn database(place: &Place) -> PathBuf {
    place.path().join("data/gateway.db")
}

#[track_caller]
fn add(gateway: &Running, session: Option<&str>, name: &str) {
    let entry = and(stdio(&[]), json!({ "env": { "TOKEN": SECRET } }));
    let body = json!({ "config_data": { "mcpServers": { name: entry } } }).to_string();
    let request = Request::post("/mcp/servers/add", body);
    let request = session.into_iter().fold(request, |request, id| request.with("X-Session-ID", id));
    let added = gateway.http(&request).ok();
    assert_eq!((added["success"].as_bool(), &added["failed_servers"]), (Some(true), &json!([])), "{added}");
}

fn stop(mut gateway: Running) {
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.end().code(), Some(0));
}

/// Names of the default session's servers.
fn names(gateway: &Running) -> Vec<String> {
    let servers = gateway.get("/mcp/servers").ok()["servers"].take();
    let servers = servers.as_object().expect("servers by UUID").values();
    let mut names: Vec<_> = servers.map(|server| server["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

fn calls_counted(gateway: &Running) -> Value {
    gateway.get("/usage?window=1h").ok()["total"]["calls"].take()
}

#[test]
fn a_restart_keeps_sessions_added_servers_and_usage() {
    let place = place();
    let gateway = place.start(&[]);
    gateway.wait_for(&["filed"]);
    let made = gateway.post("/sessions/create", r#"{"metadata":{"for":"ann"}}"#).ok();
    let session = made["session_id"].as_str().expect("an id").to_owned();
    add(&gateway, Some(&session), "of-the-session");
    add(&gateway, None, "of-all");
    for _ in 0..3 {
        gateway.call("filed__echo", r#"{"text":"x"}"#).ok();
    }
    assert_eq!(calls_counted(&gateway), 3);
    stop(gateway);

    let kept = fs::read(database(&place)).expect("there is a database");
    assert!(!kept.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "secrets are encrypted");
    for private in ["data/gateway.db", "data/secret.key"] {
        let mode = fs::metadata(place.path().join(private)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{private} is for its owner alone");
    }

    let gateway = place.start(&[]);
    assert_eq!(names(&gateway), ["filed", "of-all"]);
    let found = gateway.get(&format!("/sessions/{session}")).ok();
    assert_eq!((&found["metadata"], &found["created_at"]), (&json!({ "for": "ann" }), &made["created_at"]));
    let request = call("of-the-session__echo", r#"{"text":"again"}"#).with("X-Session-ID", &session);
    assert_eq!(gateway.http(&request).content(), "again");
    assert_eq!(calls_counted(&gateway), 4, "three before the restart, and one after");
    // What was removed stays so, too.
    gateway.post("/mcp/servers/remove", r#"{"server_name":"filed"}"#).ok();
    stop(gateway);
    let gateway = place.start(&[]);
    assert_eq!(names(&gateway), ["of-all"]);
}

#[test]
fn a_gateway_that_is_killed_has_lost_nothing_that_it_confirmed() {
    let place = place();
    let mut gateway = place.start(&[]);
    let session = gateway.post("/sessions/create", "").ok()["session_id"].as_str().expect("an id").to_owned();
    add(&gateway, None, "of-all");
    gateway.signal(Signal::KILL);
    gateway.end();
    let gateway = place.start(&[]);
    assert_eq!(names(&gateway), ["filed", "of-all"]);
    gateway.get(&format!("/sessions/{session}")).ok();
}

/// Starts a gateway on a database that it must leave alone; gives what it said.
#[track_caller]
fn refused(place: &Place) -> String {
    let before = fs::read(database(place)).expect("there is a database");
    let said = place.run(&["--port", "0"]);
    assert_eq!(said.status, Some(1), "{}", said.err);
    assert!(said.err.contains("failed to open the store"), "{}", said.err);
    assert!(fs::read(database(place)).expect("still there") == before, "nothing is overwritten");
    said.err
}

/// A place with a database that a gateway has made.
fn used_place() -> Place {
    let place = place();
    let gateway = place.start(&[]);
    gateway.post("/sessions/create", "").ok();
    stop(gateway);
    place
}

#[test]
fn another_key_opens_nothing() {
    let place = used_place();
    let key = place.path().join("data/secret.key");
    fs::write(&key, "ab12".repeat(16)).expect("written");
    let said = refused(&place);
    assert!(said.contains("another key"), "{said}");
    // The same key, named in the configuration.
    let place = place.variable("GATEWAY_ENCRYPTION_KEY", &"cd34".repeat(16));
    assert!(refused(&place).contains("another key"));
}

#[test]
fn a_damaged_a_foreign_and_a_newer_database_are_left_alone() {
    let place = used_place();
    let good = fs::read(database(&place)).expect("there is a database");
    let write = |bytes: &[u8]| fs::write(database(&place), bytes).expect("written");
    write(b"this is no database at all, and nobody should touch it");
    let said = refused(&place);
    assert!(said.contains("gateway.db"), "{said}");
    // The schema's version: four bytes in SQLite's header.
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    write(&newer);
    let said = refused(&place);
    assert!(said.contains("9999") || said.contains("newer"), "{said}");
    // Who made it: four more.
    let mut foreign = good.clone();
    foreign[68..72].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
    write(&foreign);
    refused(&place);
    let mut damaged = good.clone();
    damaged.truncate(good.len() / 2);
    write(&damaged);
    refused(&place);
    write(&good);
    stop(place.start(&[]));
}

#[test]
fn a_bad_key_is_a_mistake_of_the_configuration() {
    let said = place().variable("GATEWAY_ENCRYPTION_KEY", "too short").run(&["--port", "0"]);
    assert_eq!(said.status, Some(2), "{}", said.err);
    assert!(said.err.contains("storage.encryption_key") && said.err.contains("openssl rand"), "{}", said.err);
    assert!(!said.err.contains("too short"), "{}", said.err);
}

#[test]
fn without_its_store_a_gateway_does_not_start() {
    // A port that was free a moment ago: nobody answers there.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = nobody.local_addr().expect("an address").port();
    drop(nobody);
    let place = Place::new().variable("REDIS_PORT", &port.to_string());
    let said = place.run(&["--port", "0"]);
    assert_eq!(said.status, Some(1), "{}", said.err);
    let expected = "gateway-http: failed to start: cannot learn from the session store which servers callers added";
    assert!(said.err.contains(expected), "{}", said.err);
}
