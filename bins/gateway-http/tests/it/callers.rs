//! Many callers at once, and callers who go away.

use std::sync::Barrier;
use std::thread;

use serde_json::Value;

use crate::gateway::Running;
use crate::http::{Connection, Request, call, poll};
use crate::upstreams::{every_way, with_servers};

const CALLERS: usize = 200;

#[test]
fn every_answer_reaches_its_own_caller() {
    let (entries, _processes) = every_way(&[]);
    let gateway = with_servers(&entries).start(&[]);
    let names: Vec<_> = entries.iter().map(|(name, _)| *name).collect();
    gateway.wait_for(&names);
    for name in names {
        let begin = Barrier::new(CALLERS);
        let wrong: Vec<String> = thread::scope(|scope| {
            let ask = |caller: usize| {
                let (address, begin) = (gateway.address.as_str(), &begin);
                move || {
                    let text = format!("for caller {caller} and nobody else");
                    // The later callers' answers overtake the earlier ones'.
                    let ms = (CALLERS - caller) % 50;
                    let body = format!(r#"{{"tool_name": "{name}__echo", "args": {{"text": "{text}", "ms": {ms}}}}}"#);
                    let request = Request::post("/mcp/execute", body).with("X-Request-ID", "1");
                    let mut connection = Connection::open(address).unwrap();
                    begin.wait();
                    connection.send(&request).unwrap();
                    let answer = connection.answer().unwrap().expect("an answer");
                    let mine = answer.header("x-request-id") == Some("1")
                        && answer.status == 200
                        && answer.json()["result"]["content"] == text.as_str();
                    (!mine).then(|| format!("{caller}: {}", answer.text()))
                }
            };
            let callers: Vec<_> = (0..CALLERS).map(|caller| scope.spawn(ask(caller))).collect();
            callers.into_iter().filter_map(|caller| caller.join().expect("no panic")).collect()
        });
        assert_eq!(wrong, Vec::<String>::new(), "{name}");
    }
}

/// What the tool `cancelled` of a server says.
#[track_caller]
fn cancelled(gateway: &Running, server: &str) -> Value {
    serde_json::from_str(&gateway.call(&format!("{server}__cancelled"), "{}").content()).expect("JSON in text")
}

#[test]
fn a_client_that_goes_away_cancels_its_call_at_the_server() {
    let (entries, _processes) = every_way(&[]);
    let gateway = with_servers(&entries).start(&[]);
    for (name, _) in &entries {
        for (round, accept) in [(1, "application/json"), (2, "text/event-stream")] {
            let mut leaving = Connection::open(&gateway.address).unwrap();
            leaving.send(&call(&format!("{name}__hang"), "{}").with("Accept", accept)).unwrap();
            let mut staying = Connection::open(&gateway.address).unwrap();
            staying.send(&call(&format!("{name}__slow"), r#"{"ms": 300}"#)).unwrap();
            poll(name, || cancelled(&gateway, name), |seen| seen["running"].as_u64() >= Some(1));
            assert_eq!(cancelled(&gateway, name)["cancelled"], round - 1, "{name}");
            drop(leaving);
            let ended = |seen: &Value| seen["cancelled"] == round;
            poll(&format!("what {name} saw"), || cancelled(&gateway, name), ended);
            assert_eq!(staying.answer().unwrap().expect("an answer").content(), "done", "{name}");
            poll(name, || cancelled(&gateway, name), |seen| seen["running"] == 0);
        }
    }
}

#[test]
fn a_callers_own_time_limit_cancels_at_the_server_too() {
    let (entries, _processes) = every_way(&[]);
    let gateway = with_servers(&entries).start(&[]);
    for (name, _) in &entries {
        let body = format!(r#"{{"tool_name": "{name}__hang", "timeout_ms": 300}}"#);
        gateway.post("/mcp/execute", &body).problem(408, "deadline_exceeded");
        let ended = |seen: &Value| seen["cancelled"] == 1 && seen["running"] == 0;
        poll(&format!("what {name} saw"), || cancelled(&gateway, name), ended);
    }
}
