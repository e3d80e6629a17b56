//! A client that goes away takes its call with it.

use crate::harness::{Door, Request, until};

const HANG: &str = r#"{"tool_name":"hang"}"#;

#[tokio::test]
async fn closing_the_connection_cancels_the_call() {
    let door = Door::open().await;
    let mut connection = door.connect().await;
    connection.send(&Request::post("/mcp/execute", HANG).text()).await;
    until("the call", || door.demo.calls() == 1).await;
    assert_eq!(door.demo.cancelled(), 0);
    drop(connection);
    until("the cancelling", || door.demo.cancelled() == 1).await;
}

#[tokio::test]
async fn it_does_so_after_other_requests_and_a_body_in_pieces() {
    let door = Door::open().await;
    let mut connection = door.connect().await;
    for _ in 0..3 {
        connection.send(&Request::post("/mcp/execute", r#"{"tool_name":"echo"}"#).text()).await;
        connection.answer(false).await.ok();
    }
    connection.send("POST /mcp/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for piece in [r#"{"tool_"#, r#"name":"#, r#""hang"}"#] {
        connection.send(&format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    connection.send("0\r\n\r\n").await;
    until("the call", || door.demo.calls() == 4).await;
    drop(connection);
    until("the cancelling", || door.demo.cancelled() == 1).await;
}

#[tokio::test]
async fn only_its_own_calls_are_cancelled() {
    let door = Door::open().await;
    let mut leaving = door.connect().await;
    let mut staying = door.connect().await;
    leaving.send(&Request::post("/mcp/execute", HANG).text()).await;
    staying.send(&Request::post("/mcp/execute", r#"{"tool_name":"slow","args":{"x":1}}"#).text()).await;
    until("the calls", || door.demo.calls() == 2).await;
    drop(leaving);
    until("the cancelling", || door.demo.cancelled() == 1).await;
    assert_eq!(staying.answer(false).await.ok()["result"]["content"], r#"{"x":1}"#);
    assert_eq!(door.demo.cancelled(), 1);
}

#[tokio::test]
async fn a_half_sent_request_calls_nothing() {
    let door = Door::open().await;
    let mut connection = door.connect().await;
    let text = Request::post("/mcp/execute", HANG).text();
    connection.send(&text[..text.len() - 1]).await;
    drop(connection);
    door.post("/mcp/execute", r#"{"tool_name":"echo"}"#).await.ok();
    assert_eq!(door.demo.calls(), 1);
}
