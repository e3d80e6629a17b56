//! Which door answers, and which one refuses.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use tokio::sync::Notify;

use crate::harness::{Running, server};

#[track_caller]
fn check(answer: &str, status: u16, body: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(body), "{answer}");
    assert!(answer.contains("\r\nx-request-id: r-1\r\n") && answer.contains("\r\nvary: Origin\r\n"), "{answer}");
}

#[tokio::test]
async fn each_door_answers_for_its_paths_and_the_last_for_all_others() {
    let running = Running::start(Duration::ZERO).await;
    let ask = async |path| running.ask("GET", path, "X-Request-ID: r-1\r\n").await;
    check(&ask("/mcp").await, 200, "\r\n/mcp /mcp true");
    check(&ask("/mcp/execute?x=/rest").await, 200, "\r\n/mcp /mcp/execute true");
    check(&ask("/rest").await, 200, "\r\n/rest /rest true");
    check(&ask("/elsewhere").await, 200, "\r\n/rest /elsewhere true");
}

#[tokio::test]
async fn a_refusal_is_written_by_the_door_of_the_path() {
    let running = Running::start(Duration::ZERO).await;
    for door in ["/mcp", "/rest"] {
        let path = format!("{door}/x");
        let twice = "X-Request-ID: r-1\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n";
        let answer = running.ask("POST", &path, twice).await;
        let refusal = "refuses POST invalid_request: the header Origin must not be repeated r-1";
        check(&answer, 400, &format!("\r\n{door} {refusal}"));
        let page = "X-Request-ID: r-1\r\nOrigin: https://evil.example\r\n";
        let answer = running.ask("DELETE", &path, page).await;
        assert!(answer.contains(&format!("{door} refuses DELETE forbidden: web pages of ")), "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }
}

#[tokio::test]
async fn a_panic_is_the_end_of_its_request_only() {
    let running = Running::start(Duration::ZERO).await;
    let answer = running.ask("GET", "/mcp/panic", "X-Request-ID: r-1\r\n").await;
    check(&answer, 500, "\r\n/mcp refuses GET internal: the gateway made a mistake; its log has more r-1");
    check(&running.ask("GET", "/mcp", "X-Request-ID: r-1\r\n").await, 200, "\r\n/mcp /mcp true");
}

#[tokio::test]
async fn pages_may_send_and_read_the_headers_of_mcp() {
    let running = Running::start(Duration::ZERO).await;
    let header = |answer: &str, name: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default();
        line.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    for path in ["/mcp", "/rest"] {
        let asked = "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n";
        let answer = running.ask("OPTIONS", path, asked).await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        let allowed = header(&answer, "access-control-allow-headers");
        for name in ["Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID", "Accept"] {
            assert!(allowed.iter().any(|allowed| allowed == name), "{name}: {answer}");
        }
        let answer = running.ask("POST", path, "Origin: http://localhost:3000\r\n").await;
        let exposed = header(&answer, "access-control-expose-headers");
        for name in ["Mcp-Session-Id", "MCP-Protocol-Version", "X-Session-ID"] {
            assert!(exposed.iter().any(|exposed| exposed == name), "{name}: {answer}");
        }
    }
}

#[tokio::test]
async fn without_a_listener_the_guard_stands_and_nobody_is_local() {
    let server = server(&Arc::new(Notify::new()));
    let ask = async |host: &str| {
        let request = Request::get("/mcp").header("Host", host).header("X-Request-ID", "r-1");
        let response = server.answer(request.body(Body::empty()).unwrap()).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(ask("localhost").await, (StatusCode::OK, "/mcp /mcp false".to_owned()));
    let (status, refusal) = ask("evil.example").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(refusal.starts_with("/mcp refuses GET forbidden: "), "{refusal}");
}
