//! Requests that are answered later.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Auth, Credentials, ErrorKind, Job, Principal, Priority, Queue as _, Result};
use queue_memory::MemoryQueueConfig;
use serde_json::{Value, json};

use crate::harness::{Answer, Door, PATIENCE, Queued, Request, Setup};

fn later(path: &str, id: &str, body: &str) -> Request {
    Request::post(path, body).with("Prefer", "respond-async").with("X-Request-ID", id)
}

/// Checks that a request was queued.
#[track_caller]
fn queued(answer: &Answer, id: &str, status: &str) {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("location"), Some(&*format!("/mcp/requests/{id}")));
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    assert_eq!(answer.header("x-request-id"), Some(id));
    let body = answer.json();
    assert_eq!((&body["request_id"], &body["status"]), (&json!(id), &json!(status)));
    assert!(body["timestamp"].as_f64().unwrap() > 1.7e9);
}

/// Waits until a request has its answer.
async fn answered(door: &Door, request: &Request) -> Value {
    let begin = std::time::Instant::now();
    loop {
        let answer = door.ask(request).await.ok();
        if answer.get("response").is_some() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "no answer comes: {answer}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_call_is_queued_and_answered_later() {
    let door = Door::open().await;
    let body = r#" {"tool_name":"odd", "args":{"x" : 1.50}} "#;
    queued(&door.ask(&later("/mcp/execute", "job-1", body)).await, "job-1", "queued");
    let known = answered(&door, &Request::new("GET", "/mcp/requests/job-1")).await;
    assert_eq!((&known["request_id"], &known["status"]), (&json!("job-1"), &json!("completed")));
    assert_eq!(known["request"]["action"], "mcp_tool_call");
    let whole = door.get("/mcp/requests/job-1").await.body;
    assert!(whole.contains(&format!(r#""payload":{}"#, body.trim())), "{whole}");
    // The same as at once, but for the time.
    let at_once = door.ask(&Request::post("/mcp/execute", body).with("X-Request-ID", "job-1")).await.ok();
    for field in ["request_id", "status", "result"] {
        assert_eq!(known["response"][field], at_once[field], "{field}");
    }
    assert!(whole.contains(&format!(r#""call_tool_result":{}"#, crate::harness::ODD_RESULT)), "{whole}");
}

#[tokio::test]
async fn a_search_is_queued_and_answered_later() {
    let door = Door::open().await;
    let body = r#"{"query":"repeats the message","limit":1}"#;
    queued(&door.ask(&later("/mcp/search", "job-1", body)).await, "job-1", "queued");
    let known = answered(&door, &Request::new("GET", "/mcp/requests/job-1")).await;
    let at_once = door.post("/mcp/search", body).await.ok();
    assert_eq!(known["response"]["result"], at_once["result"]);
    assert_eq!(known["response"]["router"], at_once["router"]);
}

#[tokio::test]
async fn a_failure_is_the_answer() {
    let door = Door::open().await;
    queued(&door.ask(&later("/mcp/execute", "job-1", r#"{"tool_name":"nobody"}"#)).await, "job-1", "queued");
    let known = answered(&door, &Request::new("GET", "/mcp/requests/job-1")).await;
    assert_eq!((&known["status"], &known["response"]["kind"]), (&json!("error"), &json!("not_found")));
}

#[tokio::test]
async fn what_is_deep_enough_to_be_taken_now_is_taken_later() {
    let door = Door::open().await;
    // The body and `args` are two levels of 128.
    let body = format!(r#"{{"tool_name":"echo","args":{{"message":{}{}}}}}"#, "[".repeat(126), "]".repeat(126));
    door.post("/mcp/execute", &body).await.ok();
    queued(&door.ask(&later("/mcp/execute", "job-1", &body)).await, "job-1", "queued");
    // Deeper than the parser of this test goes.
    let begin = std::time::Instant::now();
    let known = loop {
        let known = door.get("/mcp/requests/job-1").await.body;
        if known.contains("\"response\":") {
            break known;
        }
        assert!(begin.elapsed() < PATIENCE, "no answer comes: {known}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert!(known.starts_with(r#"{"request_id":"job-1","status":"completed""#), "{known}");
}

#[tokio::test]
async fn a_request_sent_twice_runs_once() {
    let door = Door::open().await;
    let request = later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#);
    queued(&door.ask(&request).await, "job-1", "queued");
    answered(&door, &Request::new("GET", "/mcp/requests/job-1")).await;
    queued(&door.ask(&request).await, "job-1", "completed");
    assert_eq!(door.demo.calls(), 1);
}

#[tokio::test]
async fn a_call_runs_in_its_session() {
    let door = Door::open().await;
    let session = door.post("/sessions/create", "{}").await.ok()["session_id"].as_str().unwrap().to_owned();
    let request = later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#).with("X-Session-ID", &session);
    let answer = door.ask(&request).await;
    queued(&answer, "job-1", "queued");
    assert_eq!(answer.json()["session_id"], json!(session));
    let known = answered(&door, &Request::new("GET", "/mcp/requests/job-1")).await;
    assert_eq!((&known["response"]["session_id"], &known["status"]), (&json!(session), &json!("completed")));
    let unknown = later("/mcp/execute", "job-2", r#"{"tool_name":"echo"}"#).with("X-Session-ID", "sess_none");
    door.ask(&unknown).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once() {
    let door = Door::with(Setup { queue: Queued::Only, ..Setup::default() }).await;
    door.ask(&later("/mcp/execute", "j", "{}")).await.problem(400, "invalid_request");
    door.ask(&later("/mcp/execute", "j", r#"{"tool_name":"echo","args":[]}"#)).await.problem(422, "invalid_arguments");
    door.ask(&later("/mcp/search", "j", r#"{"query":""}"#)).await.problem(400, "invalid_request");
    let said = door.ask(&later("/mcp/execute", "a/b", r#"{"tool_name":"echo"}"#)).await.problem(400, "invalid_request");
    assert!(said.contains("X-Request-ID"), "{said}");
    assert_eq!(door.queue.depth().await.unwrap().waiting, 0);
    door.get("/mcp/requests/j").await.problem(404, "not_found");
    door.get("/mcp/requests/a%2Fb").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let memory = MemoryQueueConfig { max_jobs: 1, ..MemoryQueueConfig::default() };
    let door = Door::with(Setup { queue: Queued::Only, memory, ..Setup::default() }).await;
    queued(&door.ask(&later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#)).await, "job-1", "queued");
    let refused = door.ask(&later("/mcp/execute", "job-2", r#"{"tool_name":"echo"}"#)).await;
    refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn without_a_queue_the_preference_is_ignored() {
    let door = Door::with(Setup { queue: Queued::Never, ..Setup::default() }).await;
    let answer = door.ask(&later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#)).await;
    assert_eq!(answer.ok()["result"]["success"], true);
    assert_eq!(answer.header("preference-applied"), None);
    door.get("/mcp/requests/job-1").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_stream_of_events_is_not_queued() {
    let door = Door::open().await;
    let request = later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#).with("Accept", "text/event-stream");
    let answer = door.ask(&request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
}

/// Everybody is who they say they are.
#[derive(Debug)]
struct ByName;

#[async_trait]
impl Auth for ByName {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Principal> {
        let Some(token) = &credentials.token else {
            return Err(gateway_core::Error::new(ErrorKind::Unauthenticated, "say who you are"));
        };
        Ok(Principal { id: token.expose().to_owned(), authenticated: true })
    }

    fn allows(&self, _: &Principal, _: &str, _: &str) -> bool {
        true
    }
}

#[tokio::test]
async fn a_request_is_its_callers_alone() {
    let door = Door::with(Setup { queue: Queued::Only, auth: Some(Arc::new(ByName)), ..Setup::default() }).await;
    let of = |name: &str, request: Request| request.with("X-API-Key", name);
    let call = later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#);
    let look = Request::new("GET", "/mcp/requests/job-1");
    queued(&door.ask(&of("alice", call.clone())).await, "job-1", "queued");
    assert_eq!(door.ask(&of("alice", look.clone())).await.ok()["status"], "queued");
    door.ask(&of("bob", look.clone())).await.problem(404, "not_found");
    door.ask(&look).await.problem(401, "unauthenticated");
    door.ask(&of("bob", call.clone())).await.problem(409, "conflict");
    // A job of another program is nobody's.
    let payload = Bytes::from_static(br#"{"request_id":"job-2","action":"mcp_search","payload":{}}"#);
    let job = Job { request_id: "job-2".to_owned(), payload, priority: Priority::Normal };
    door.queue.push(job).await.unwrap();
    for name in ["alice", "bob"] {
        door.ask(&of(name, Request::new("GET", "/mcp/requests/job-2"))).await.ok();
    }
    // Of what cannot be read nobody knows whose it is.
    let job = Job { request_id: "job-3".to_owned(), payload: Bytes::from_static(b"{"), priority: Priority::Normal };
    door.queue.push(job).await.unwrap();
    door.ask(&of("alice", Request::new("GET", "/mcp/requests/job-3"))).await.problem(404, "not_found");
}

#[tokio::test]
async fn nobody_gets_the_rights_of_the_queue_by_it() {
    let auth: Arc<dyn Auth> = Arc::new(ByName);
    let door = Door::with(Setup { key: Some("worker"), auth: Some(auth), ..Setup::default() }).await;
    let call = later("/mcp/execute", "job-1", r#"{"tool_name":"echo"}"#).with("X-API-Key", "alice");
    queued(&door.ask(&call).await, "job-1", "queued");
    let look = Request::new("GET", "/mcp/requests/job-1").with("X-API-Key", "alice");
    assert_eq!(answered(&door, &look).await["response"]["kind"], "forbidden");
    assert_eq!(door.demo.calls(), 0);
}
