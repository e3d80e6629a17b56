//! Calls whose answer is a stream of events.

use std::time::Duration;

use gateway_core::{Notification, RawJson};
use gateway_testkit::fakes::{Answer as Tool, FakeServer};
use serde_json::Value;

use crate::harness::{Door, Request, Setup, until};

fn stream(body: &str) -> Request {
    Request::post("/mcp/execute", body).with("Accept", "text/event-stream")
}

/// Reads a stream as browsers do: the events with their data.
fn events(body: &str) -> Vec<(String, String)> {
    assert!(body.ends_with("\n\n"), "{body:?}");
    let mut events = Vec::new();
    for block in body.split("\n\n").filter(|block| !block.is_empty()) {
        let mut name = String::new();
        let mut data = Vec::new();
        for line in block.lines() {
            match line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")) {
                ("event", value) => name = value.to_owned(),
                ("data", value) => data.push(value),
                ("", _) => {}
                other => panic!("{other:?}"),
            }
        }
        if !name.is_empty() {
            events.push((name, data.join("\n")));
        }
    }
    events
}

#[tokio::test]
async fn progress_comes_first_and_the_result_last() {
    let door = Door::open().await;
    let answer = door.ask(&stream(r#"{"tool_name":"steps"}"#).with("X-Request-ID", "r1")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let events = events(&answer.body);
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["progress", "progress", "progress", "result"]);
    for (at, (_, data)) in events[..3].iter().enumerate() {
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["progress"], at + 1);
    }
    let result: Value = serde_json::from_str(&events[3].1).unwrap();
    assert_eq!((&result["request_id"], &result["status"]), (&"r1".into(), &"completed".into()));
    assert_eq!(result["result"]["content"], "done");
}

#[tokio::test]
async fn a_failure_is_an_event_once_the_stream_runs() {
    let door = Door::open().await;
    let answer = door.ask(&stream(r#"{"tool_name":"hang","timeout_ms":30}"#)).await;
    assert_eq!(answer.status, 200);
    let events = events(&answer.body);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].0, "error");
    let problem: Value = serde_json::from_str(&events[0].1).unwrap();
    assert_eq!((&problem["kind"], &problem["status"]), (&"deadline_exceeded".into(), &"error".into()));
    assert_eq!(problem["request_id"], answer.header("x-request-id").unwrap());
    // What is refused before the call begins has its own status.
    door.ask(&stream("{}")).await.problem(400, "invalid_request");
    door.ask(&stream(r#"{"tool_name":"echo"}"#).with("X-Session-ID", "sess_no")).await.problem(404, "not_found");
}

#[tokio::test]
async fn lines_inside_json_stay_inside_their_event() {
    let result = "{\n\"content\":[\r\n{\"type\":\"text\",\"text\":\"a\\n\\nevent: error\\ndata: x\"}\r]}";
    let multi = FakeServer::new().with_tool("multi", "Answers in lines", Tool::result(result)).with_tool(
        "log",
        "Logs",
        Tool::new(|_, listener| {
            let params = RawJson::parse("{\n\n\"level\":\"info\",\n\"data\":\"x\"}").unwrap();
            listener.unwrap().deliver(Notification { method: "notifications/message".to_owned(), params });
            std::future::ready(Ok(RawJson::empty_object()))
        }),
    );
    let door = Door::with(Setup { servers: vec![("multi", multi)], ..Setup::default() }).await;
    let answer = door.ask(&stream(r#"{"tool_name":"multi"}"#)).await;
    let found = events(&answer.body);
    assert_eq!(found.len(), 1, "{answer:?}");
    let value: Value = serde_json::from_str(&found[0].1).unwrap();
    assert_eq!(value["result"]["content"], "a\n\nevent: error\ndata: x");
    let answer = door.ask(&stream(r#"{"tool_name":"log"}"#)).await;
    let found = events(&answer.body);
    assert_eq!(found[0].0, "log");
    assert_eq!(serde_json::from_str::<Value>(&found[0].1).unwrap()["level"], "info");
    assert_eq!(found[1].0, "result");
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let mut setup = Setup::default();
    setup.rest.event_keep_alive_ms = 20;
    let door = Door::with(setup).await;
    let mut connection = door.connect().await;
    connection.send(&stream(r#"{"tool_name":"slow","args":{}}"#).text()).await;
    assert!(connection.head().await.starts_with("http/1.1 200"));
    let mut comments = 0;
    let mut rest = String::new();
    while let Some(chunk) = connection.chunk().await {
        let chunk = String::from_utf8(chunk).unwrap();
        if chunk.starts_with(':') { comments += 1 } else { rest += &chunk }
    }
    assert!(comments >= 2, "{comments}");
    assert_eq!(events(&rest).len(), 1);
}

#[tokio::test]
async fn events_come_while_the_tool_works() {
    let early = FakeServer::new().with_tool(
        "early",
        "Says something and never ends",
        Tool::new(|_, listener| {
            let params = RawJson::parse(r#"{"progress":1}"#).unwrap();
            listener.unwrap().deliver(Notification { method: "notifications/progress".to_owned(), params });
            std::future::pending()
        }),
    );
    let door = Door::with(Setup { servers: vec![("early", early.clone())], ..Setup::default() }).await;
    let mut connection = door.connect().await;
    connection.send(&stream(r#"{"tool_name":"early"}"#).text()).await;
    connection.head().await;
    let chunk = String::from_utf8(connection.chunk().await.unwrap()).unwrap();
    assert_eq!(chunk, "event: progress\ndata: {\"progress\":1}\n\n");
    // The client goes, and the call with it.
    drop(connection);
    until("the cancelling of the call", || early.cancelled() == 1).await;
}

#[tokio::test]
async fn a_stopping_gateway_ends_its_streams_with_an_error() {
    let door = Door::with(Setup { grace: Duration::from_millis(100), ..Setup::default() }).await;
    let mut connection = door.connect().await;
    connection.send(&stream(r#"{"tool_name":"hang"}"#).text()).await;
    connection.head().await;
    until("the call", || door.demo.calls() == 1).await;
    door.shutdown.cancel();
    let mut body = String::new();
    while let Some(chunk) = connection.chunk().await {
        body += &String::from_utf8(chunk).unwrap();
    }
    let events = events(&body);
    assert_eq!((events.len(), events[0].0.as_str()), (1, "error"));
    assert_eq!(serde_json::from_str::<Value>(&events[0].1).unwrap()["kind"], "unavailable");
    door.serving.await.unwrap().unwrap();
    assert_eq!(door.demo.cancelled(), 1);
}
