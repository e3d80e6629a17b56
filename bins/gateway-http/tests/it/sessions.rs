//! Sessions by the thousand: what they cost, what they leave, and where they end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gateway::Running;
use crate::http::{Answer, Connection, Request, call, poll};
use crate::processes::{Process, descendants_running, resident_kib};
use crate::upstreams::{at, free_port, stdio, with_servers};

const SESSIONS: usize = 1_000;
const USED: usize = 50;
const ROUNDS: usize = 3;

/// How much more memory the last round may hold than the first one, in KiB.
const GROWTH_KIB: u64 = 10 * 1024;

const PROGRAM: &str = "testkit-upstream";

/// One connection for a whole test: thousands would run out of ports.
struct Client(Connection);

impl Client {
    fn new(gateway: &Running) -> Self {
        Self(Connection::open(&gateway.address).unwrap())
    }

    #[track_caller]
    fn ask(&mut self, request: &Request) -> Answer {
        self.0.send(request).unwrap();
        self.0.answer().unwrap().expect("an answer")
    }

    #[track_caller]
    fn create(&mut self) -> String {
        let body = self.ask(&Request::post("/sessions/create", "")).ok();
        assert_eq!(body["servers_loaded"], 1, "{body}");
        body["session_id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    fn delete(&mut self, id: &str) {
        let answer = self.ask(&Request::new("DELETE", &format!("/sessions/{id}")));
        assert_eq!(answer.ok(), json!({ "success": true, "deleted_session_id": id }));
    }

    /// The process that answers in a session.
    #[track_caller]
    fn process_of(&mut self, id: &str) -> u64 {
        let said = self.ask(&call("whoami", "{}").with("X-Session-ID", id)).content();
        let said: Value = serde_json::from_str(&said).expect("JSON in text");
        said["pid"].as_u64().expect("a process")
    }

    #[track_caller]
    fn health(&mut self) -> (u64, u64) {
        let health = self.ask(&Request::get("/health")).ok();
        let number = |name: &str| health[name].as_u64().expect("a number");
        (number("sessions"), number("processes"))
    }
}

/// The servers that really run.
fn servers(gateway: &Running) -> Vec<Process> {
    descendants_running(gateway.id(), PROGRAM)
}

#[test]
fn a_thousand_sessions_leave_no_process_and_no_memory() {
    let gateway = with_servers(&[("it", stdio(&[]))]).start(&[]);
    gateway.wait_for(&["it"]);
    let mut client = Client::new(&gateway);
    let before = resident_kib(gateway.id());
    println!("before: {before} KiB");
    let mut after = Vec::new();
    for round in 1..=ROUNDS {
        let begun = Instant::now();
        let ids: Vec<String> = (0..SESSIONS).map(|_| client.create()).collect();
        let creating = begun.elapsed();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), SESSIONS);
        // Only the default session's server runs.
        assert_eq!((client.health(), servers(&gateway).len()), ((SESSIONS as u64, 1), 1));
        assert!(creating < Duration::from_secs(10), "{creating:?}");
        let idle = resident_kib(gateway.id());

        let begun = Instant::now();
        let processes: BTreeSet<u64> = ids[..USED].iter().map(|id| client.process_of(id)).collect();
        let using = begun.elapsed();
        assert_eq!(processes.len(), USED, "each session has a process of its own");
        assert_eq!((client.health(), servers(&gateway).len()), ((SESSIONS as u64, 1 + USED as u64), 1 + USED));
        // The second call of a session finds the process of the first.
        assert!(processes.contains(&client.process_of(&ids[0])));
        let used = resident_kib(gateway.id());

        let begun = Instant::now();
        for id in &ids {
            client.delete(id);
        }
        let deleting = begun.elapsed();
        assert_eq!((client.health(), servers(&gateway).len()), ((0, 1), 1), "gone before the answer");
        after.push(resident_kib(gateway.id()));
        println!(
            "round {round}: {SESSIONS} created in {creating:?} ({idle} KiB), {USED} used in {using:?} ({used} KiB), \
             deleted in {deleting:?} ({} KiB)",
            after[round - 1]
        );
    }
    client.ask(&Request::get("/mcp/tools").with("X-Session-ID", "sess_0")).problem(404, "not_found");
    let grown = after[ROUNDS - 1].saturating_sub(after[0]);
    println!("grown from round 1 to round {ROUNDS}: {grown} KiB");
    assert!(grown <= GROWTH_KIB, "{after:?}");
}

#[test]
fn a_sessions_servers_are_its_own() {
    let gateway = with_servers(&[("it", stdio(&[]))]).start(&[]);
    gateway.wait_for(&["it"]);
    let mut client = Client::new(&gateway);
    let (one, other) = (client.create(), client.create());
    let list = json!({ "mcpServers": { "more": stdio(&["--name", "more"]) } }).to_string();
    let add = Request::post("/add-server", list).with("X-Session-ID", &one);
    let added = client.ask(&add).ok();
    assert_eq!((&added["success"], &added["total_servers_in_session"]), (&json!(true), &json!(2)), "{added}");
    let remove = Request::post("/mcp/servers/remove", r#"{"server_name": "it"}"#).with("X-Session-ID", &other);
    assert_eq!(client.ask(&remove).ok()["total_servers"], 0);

    let mut names = |session: Option<&str>| {
        let list = Request::get("/mcp/servers");
        let list = session.map_or(list.clone(), |id| list.with("X-Session-ID", id));
        let servers = client.ask(&list).ok()["servers"].take();
        let servers = servers.as_object().expect("servers by UUID").values();
        servers.map(|server| server["name"].as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(None), BTreeSet::from(["it".to_owned()]));
    assert_eq!(names(Some(&one)), BTreeSet::from(["it".to_owned(), "more".to_owned()]));
    assert_eq!(names(Some(&other)), BTreeSet::new());
    let mut client = Client::new(&gateway);
    client.ask(&call("more__echo", r#"{"text": "x"}"#)).problem(404, "not_found");
    client.ask(&call("it__echo", r#"{"text": "x"}"#).with("X-Session-ID", &other)).problem(404, "not_found");
    assert_eq!(client.ask(&call("more__echo", r#"{"text": "x"}"#).with("X-Session-ID", &one)).content(), "x");
    client.delete(&one);
    client.delete(&other);
    assert_eq!((client.health(), servers(&gateway).len()), ((0, 1), 1));
}

#[test]
fn sessions_have_a_limit_and_an_end() {
    let place = with_servers(&[("it", stdio(&[]))]).variable("GATEWAY__SESSIONS__MAX", "3");
    let gateway = place.start(&[]);
    let mut client = Client::new(&gateway);
    let ids: Vec<_> = (0..3).map(|_| client.create()).collect();
    let refused = client.ask(&Request::post("/sessions/create", ""));
    let why = refused.problem(429, "rate_limited");
    assert!(why.contains("sessions.max"), "{why}");
    let wait = refused.header("retry-after").expect("when to come back");
    assert!(wait.parse::<u64>().expect("seconds") >= 1);
    client.delete(&ids[0]);
    let short = client.ask(&Request::post("/sessions/create", r#"{"ttl_seconds": 1}"#)).ok();
    let short = short["session_id"].as_str().expect("an id");
    client.process_of(short);
    assert_eq!(servers(&gateway).len(), 2);
    // Nobody deletes this one.
    poll("the number of servers", || servers(&gateway).len(), |count| *count == 1);
    client.ask(&Request::get(&format!("/sessions/{short}"))).problem(404, "not_found");
    client.create();
}

#[test]
fn processes_have_a_limit() {
    let place = with_servers(&[("it", stdio(&[]))]).variable("GATEWAY__SESSIONS__MAX_PROCESSES", "3");
    let gateway = place.start(&[]);
    gateway.wait_for(&["it"]);
    let mut client = Client::new(&gateway);
    let ids: Vec<_> = (0..3).map(|_| client.create()).collect();
    client.process_of(&ids[0]);
    client.process_of(&ids[1]);
    let refused = client.ask(&call("whoami", "{}").with("X-Session-ID", &ids[2]));
    let why = refused.problem(503, "unavailable");
    assert!(why.contains("sessions.max_processes"), "{why}");
    assert!(refused.header("retry-after").is_some());
    let more = json!({ "mcpServers": { "more": stdio(&["--name", "more"]) } }).to_string();
    let refused = client.ask(&Request::post("/add-server", more)).ok();
    assert_eq!(refused["success"], false, "{refused}");
    assert_eq!((client.health().1, servers(&gateway).len()), (3, 3));
    // Those who have a process are not disturbed, and its place is free when it is gone.
    client.process_of(&ids[0]);
    client.delete(&ids[0]);
    let ask = call("whoami", "{}").with("X-Session-ID", &ids[2]);
    poll("the answer", || gateway.http(&ask), |answer| answer.status == 200);
    assert_eq!(servers(&gateway).len(), 3);
}

#[test]
fn an_idle_sessions_process_ends_and_comes_back() {
    let place = with_servers(&[("it", stdio(&[]))]).variable("GATEWAY__SESSIONS__IDLE_TIMEOUT_SECONDS", "1");
    let gateway = place.start(&[]);
    gateway.wait_for(&["it"]);
    let mut client = Client::new(&gateway);
    let id = client.create();
    let first = client.process_of(&id);
    poll("the number of servers", || servers(&gateway).len(), |count| *count == 1);
    assert_ne!(first, client.process_of(&id));
    client.delete(&id);
    assert_eq!(servers(&gateway).len(), 1);
}

#[test]
fn servers_come_and_go_without_a_trace() {
    let gateway = with_servers(&[]).start(&[]);
    let mut client = Client::new(&gateway);
    let mut list = serde_json::Map::new();
    for number in 0..20 {
        list.insert(format!("s{number}"), stdio(&["--name", &number.to_string()]));
    }
    list.insert("bad".to_owned(), json!({ "command": "/nowhere/server" }));
    list.insert("refused".to_owned(), at(&format!("http://127.0.0.1:{}/mcp", free_port())));
    let list = json!({ "mcpServers": list }).to_string();
    for _ in 0..2 {
        let added = client.ask(&Request::post("/add-server", list.clone())).ok();
        assert_eq!(added["added_servers"].as_array().map(Vec::len), Some(20), "{added}");
        assert_eq!(added["failed_servers"].as_array().map(Vec::len), Some(2), "{added}");
        assert_eq!(servers(&gateway).len(), 20);
        for number in 0..20 {
            let remove = format!(r#"{{"server_name": "s{number}"}}"#);
            client.ask(&Request::post("/mcp/servers/remove", remove)).ok();
        }
        assert_eq!((client.health().1, servers(&gateway).len()), (0, 0));
    }
}
