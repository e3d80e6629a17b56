//! Two gateways over one store.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::gateway::{Place, Running};
use crate::http::{Answer, Connection, Request, call, poll};
use crate::redis_server::RedisServer;
use crate::upstreams::{stdio, with_servers};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn place() -> Place {
    with_servers(&[("filed", stdio(&[]))]).variable("GATEWAY_ENCRYPTION_KEY", KEY)
}

/// Names of the servers that a session shows.
fn names(gateway: &Running, session: Option<&str>) -> Vec<String> {
    let request = session.into_iter().fold(Request::get("/mcp/servers"), |it, id| it.with("X-Session-ID", id));
    let servers = gateway.http(&request).ok()["servers"].take();
    let servers = servers.as_object().expect("servers by UUID").values();
    let mut names: Vec<_> = servers.map(|server| server["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn add(gateway: &Running, session: Option<&str>, name: &str) {
    let body = json!({ "mcpServers": { name: stdio(&[]) } }).to_string();
    let request = Request::post("/mcp/servers/add", body);
    let added = gateway.http(&session.into_iter().fold(request, |it, id| it.with("X-Session-ID", id))).ok();
    assert_eq!(added["added_servers"][0]["name"], name, "{added}");
}

/// What two gateways over a store must do, whichever it is.
fn serve_the_same(place: &Place) {
    let (one, two) = (place.start(&[]), place.start(&[]));
    let made = one.post("/sessions/create", r#"{"metadata":{"for":"ann"}}"#).ok();
    let session = made["session_id"].as_str().expect("an id").to_owned();
    let said = two.http(&call("filed__echo", r#"{"text":"there"}"#).with("X-Session-ID", &session));
    assert_eq!(said.content(), "there");
    // A change reaches the other one by itself.
    add(&one, Some(&session), "own");
    poll("the session's servers", || names(&two, Some(&session)), |names| *names == ["filed", "own"]);
    add(&two, None, "of-all");
    poll("the servers of all", || names(&one, None), |names| *names == ["filed", "of-all"]);
    poll(
        "the tools of a server that was added elsewhere",
        || one.call("of-all__echo", r#"{"text":"x"}"#).status,
        |status| *status == 200,
    );
    // And so does the end.
    let request = Request::new("DELETE", &format!("/sessions/{session}"));
    assert_eq!(two.http(&request).status, 200);
    let status = || one.http(&Request::get("/mcp/tools").with("X-Session-ID", &session)).status;
    poll("the deleted session", status, |status| *status == 404);
    two.post("/mcp/servers/remove", r#"{"server_name":"of-all"}"#).ok();
    poll("the servers of all", || names(&one, None), |names| *names == ["filed"]);
}

/// `initialize` and a call of a legacy client, whose requests reach another gateway each time.
fn carry_a_legacy_session(place: &Place) {
    let (one, two) = (place.start(&[]), place.start(&[]));
    one.wait_for(&["filed"]);
    two.wait_for(&["filed"]);
    let initialize = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "wanderer", "version": "1" },
    });
    let opened = one.http(&mcp(1, "initialize", &initialize));
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let params = json!({ "name": "execute_tool", "arguments": { "tool_name": "echo", "args": { "text": "moved" } } });
    for gateway in [&two, &one, &two] {
        let answer = gateway.http(&mcp(2, "tools/call", &params).with("Mcp-Session-Id", &session));
        assert!(answer.status == 200 && answer.text().contains("moved"), "{}", answer.text());
    }
    let left = two.http(&Request::new("DELETE", "/mcp").with("Mcp-Session-Id", &session));
    assert!((200..300).contains(&left.status), "{}", left.status);
    let status = || one.http(&mcp(3, "tools/list", &json!({})).with("Mcp-Session-Id", &session)).status;
    poll("the session that was left", status, |status| *status == 404);
}

fn mcp(id: u32, method: &str, params: &Value) -> Request {
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
    Request::post("/mcp", body).with("Accept", "application/json, text/event-stream")
}

/// One of two gateways is killed under load; its clients go on at the other one.
fn lose_no_session(place: &Place) {
    const CLIENTS: usize = 4;
    let (mut one, two) = (place.start(&[]), place.start(&[]));
    one.wait_for(&["filed"]);
    two.wait_for(&["filed"]);
    add(&one, None, "of-all");
    let addresses = [one.address.clone(), two.address.clone()];
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let client = |number: usize| {
            let mut made: Vec<String> = Vec::new();
            let mut at = number;
            while !stop.load(Ordering::Relaxed) {
                let created = persist(&addresses, &mut at, &Request::post("/sessions/create", "")).ok();
                made.push(created["session_id"].as_str().expect("an id").to_owned());
                for session in made.iter().rev().take(3) {
                    let request = Request::get("/mcp/tools").with("X-Session-ID", session);
                    let tools = persist(&addresses, &mut at, &request);
                    assert_eq!(tools.status, 200, "{session}: {}", tools.text());
                }
                // Each request goes to the other gateway.
                at += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            made
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || client(number))).collect();
        poll("the load", || done.load(Ordering::Relaxed), |done| *done >= 20);
        one.signal(Signal::KILL);
        one.end();
        let so_far = done.load(Ordering::Relaxed);
        poll("the load without one", || done.load(Ordering::Relaxed), |done| *done >= so_far + 20);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            for session in client.join().expect("no client fails") {
                let found = two.get(&format!("/sessions/{session}"));
                assert_eq!(found.status, 200, "{session}: {}", found.text());
            }
        }
    });
    assert_eq!(names(&two, None), ["filed", "of-all"]);
}

/// Asks one gateway after the other until one answers.
fn persist(addresses: &[String], at: &mut usize, request: &Request) -> Answer {
    let attempt = |address: &str| -> std::io::Result<Option<Answer>> {
        let mut connection = Connection::open(address)?;
        connection.send(&request.clone().with("Connection", "close"))?;
        connection.answer()
    };
    for _ in 0..100 {
        if let Ok(Some(answer)) = attempt(&addresses[*at % addresses.len()])
            && answer.status != 503
        {
            return answer;
        }
        *at += 1;
    }
    panic!("no gateway answers");
}

mod over_redis {
    use super::*;

    fn over(redis: &RedisServer) -> Place {
        place().variable("GATEWAY__REDIS__URL", &redis.url())
    }

    #[test]
    fn two_gateways_serve_the_same() {
        let redis = RedisServer::start();
        serve_the_same(&over(&redis));
    }

    #[test]
    fn a_legacy_session_goes_on_at_the_other_one() {
        let redis = RedisServer::start();
        carry_a_legacy_session(&over(&redis));
    }

    #[test]
    fn clients_of_a_killed_one_lose_nothing() {
        let redis = RedisServer::start();
        lose_no_session(&over(&redis));
    }

    #[test]
    fn a_starting_gateway_knows_the_tools_of_servers_that_are_not_there_yet() {
        let redis = RedisServer::start();
        let folder = tempfile::TempDir::new().unwrap();
        let program = folder.path().join("server");
        std::fs::copy(gateway_testkit::reference::program(), &program).expect("copied");
        let entry = json!({ "mcpServers": { "filed": { "command": program } } }).to_string();
        let place = || over(&redis).file("servers.json", &entry);
        let first = place().start(&[]);
        first.wait_for(&["filed"]);
        let tools = first.tool_names();
        let published = || redis.get("gateway:tool_inventory");
        poll("the inventory", published, |published| published.contains("echo"));
        assert!(redis.get("gateway:status").contains(r#""filed""#));
        drop(first);
        // From now on nobody can start it.
        std::fs::remove_file(&program).expect("removed");
        let second = place().start(&[]);
        assert_eq!(second.tool_names(), tools);
        let found = second.post("/mcp/search", r#"{"query":"echo a text"}"#).ok();
        assert!(!found["result"].as_array().expect("a list").is_empty(), "{found}");
    }
}

mod over_postgres {
    use super::*;

    /// A schema of a test's own in the PostgreSQL of this machine.
    struct Schema(String);

    impl Schema {
        fn new() -> Self {
            let unique = format!("e2e_{}_{:?}", std::process::id(), thread::current().id());
            Self(unique.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>().to_lowercase())
        }

        fn place(&self) -> Place {
            place()
                .variable("GATEWAY__STORAGE__POSTGRES_URL", POSTGRES)
                .variable("GATEWAY__STORAGE__POSTGRES_SCHEMA", &self.0)
        }
    }

    const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/test";

    impl Drop for Schema {
        fn drop(&mut self) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let dropped = runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(POSTGRES, tokio_postgres::NoTls).await?;
                let driving = tokio::spawn(connection);
                let dropped = client.batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.0)).await;
                driving.abort();
                dropped
            });
            if let Err(error) = dropped {
                eprintln!("the schema {} is left in PostgreSQL: {error}", self.0);
            }
        }
    }

    #[test]
    fn two_gateways_serve_the_same() {
        serve_the_same(&Schema::new().place());
    }

    #[test]
    fn a_legacy_session_goes_on_at_the_other_one() {
        carry_a_legacy_session(&Schema::new().place());
    }

    #[test]
    fn clients_of_a_killed_one_lose_nothing() {
        lose_no_session(&Schema::new().place());
    }
}
