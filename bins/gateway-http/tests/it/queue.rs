//! The message queue, from outside.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::gateway::{Place, Running};
use crate::http::{Request, call, poll};
use crate::redis_server::RedisServer;
use crate::upstreams::{peer, stdio, with_servers};

fn place(redis: &RedisServer) -> Place {
    with_servers(&[("reference", stdio(&[]))])
        .variable("GATEWAY__REDIS__URL", &redis.url())
        .variable("GATEWAY__QUEUE__LEASE_MS", "2000")
}

/// What the script of the README prints.
#[track_caller]
fn script(redis: &RedisServer, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/queue_client.py");
    let mut python = Command::new(peer("python"));
    let said = python.arg(script).args(arguments).env("REDIS_URL", redis.url()).output().expect("Python runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("it prints JSON")
}

#[test]
fn a_script_that_knows_only_redis_sends_a_job_and_reads_its_answer() {
    let redis = RedisServer::start();
    let gateway = place(&redis).start(&[]);
    gateway.wait_for(&["reference"]);
    let found = script(&redis, &["echo a text"]);
    assert!(found.as_array().is_some_and(|found| found.iter().any(|tool| tool["tool_name"] == "echo")), "{found}");
    let ran = script(&redis, &["reference__echo", "--args", r#"{"text":"by the queue"}"#]);
    assert_eq!((&ran["success"], &ran["content"]), (&json!(true), &json!("by the queue")), "{ran}");
}

/// The answer that is kept for a request, once it is there.
fn kept(gateway: &Running, location: &str) -> Value {
    let ask = || gateway.get(location).ok();
    poll("the request", ask, |kept| kept["status"] == "completed" || kept["status"] == "error")
}

fn later(tool: &str, arguments: &str, id: &str) -> Request {
    call(tool, arguments).with("Prefer", "respond-async").with("X-Request-ID", id)
}

#[test]
fn a_request_may_be_answered_later_without_any_broker() {
    let gateway = with_servers(&[("reference", stdio(&[]))]).start(&[]);
    gateway.wait_for(&["reference"]);
    let accepted = gateway.http(&later("echo", r#"{"text":"later"}"#, "later-1"));
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let location = accepted.header("location").expect("where").to_owned();
    assert_eq!(location, "/mcp/requests/later-1");
    let kept = kept(&gateway, &location);
    assert_eq!(kept["response"]["result"]["content"], "later", "{kept}");
    gateway.get("/mcp/requests/nobody-asked").problem(404, "not_found");
}

#[test]
fn a_request_to_one_gateway_is_done_by_another() {
    let redis = RedisServer::start();
    // The one that is asked works on nothing itself: it cannot, since its server does not start.
    let place = place(&redis);
    let (one, two) = (place.start(&[]), place.start(&[]));
    one.wait_for(&["reference"]);
    two.wait_for(&["reference"]);
    for number in 0..20 {
        let id = format!("shared-{number}");
        let asked = if number % 2 == 0 { &one } else { &two };
        assert_eq!(asked.http(&later("echo", r#"{"text":"either"}"#, &id)).status, 202);
    }
    for number in 0..20 {
        // Known at both.
        let told = if number % 2 == 0 { &two } else { &one };
        let kept = kept(told, &format!("/mcp/requests/shared-{number}"));
        assert_eq!(kept["response"]["result"]["content"], "either", "{kept}");
    }
}

#[test]
fn redis_may_be_away_and_rest_does_not_notice() {
    let mut redis = RedisServer::start();
    let gateway = place(&redis).start(&[]);
    gateway.wait_for(&["reference"]);
    redis.kill();
    assert_eq!(gateway.call("echo", r#"{"text":"without"}"#).content(), "without");
    gateway.http(&later("echo", r#"{"text":"x"}"#, "lost-1")).problem(503, "unavailable");
    redis.start_again();
    let accepted = || gateway.http(&later("echo", r#"{"text":"back"}"#, "back-1")).status;
    poll("the queue", accepted, |status| *status == 202);
    let kept = kept(&gateway, "/mcp/requests/back-1");
    assert_eq!(kept["response"]["result"]["content"], "back", "{kept}");
    assert_eq!(script(&redis, &["reference__echo", "--args", r#"{"text":"still"}"#])["content"], "still");
}
