//! Batches, which revision 2025-03-26 has and no other.

use http::Method;
use serde_json::Value;

use crate::raw::{Session, request, told};
use crate::rig::{Rig, Setup};
use crate::sessions::demo;
use crate::wire::LEGACY;

async fn rig() -> Rig {
    Rig::new(Setup { fakes: vec![("demo", demo())], ..Setup::default() }).await
}

/// Sends a batch and gives its answers, ordered by their ids.
async fn answers(session: &Session, batch: &[String]) -> Vec<Value> {
    let answer = session.post(&format!("[{}]", batch.join(","))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let mut answers: Vec<Value> = serde_json::from_str(&answer.text().await).unwrap();
    answers.sort_by_key(|answer| answer["id"].to_string());
    answers
}

#[tokio::test]
async fn every_request_of_a_batch_is_answered_once() {
    let rig = rig().await;
    let session = Session::open_at(&rig, "/mcp", "2025-03-26", None).await.unwrap();
    let batch = [
        request(1, "ping", "{}"),
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
        request(2, "tools/call", r#"{"name":"echo","arguments":{"a":1.0}}"#),
        request(3, "nonsense", "{}"),
        r#"{"jsonrpc":"2.0","id":77,"result":{}}"#.to_owned(),
        request(2, "ping", "{}"),
        "5".to_owned(),
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/list"}"#.to_owned(),
    ];
    let answers = answers(&session, &batch).await;
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].to_string()).collect();
    assert_eq!(ids, [r#""x""#, "1", "2", "2", "3", "null"]);
    assert_eq!(answers[0]["result"]["tools"].as_array().unwrap().len(), 2);
    let outcome = |answer: &Value| answer["error"]["code"].as_i64();
    let mut twice = [outcome(&answers[2]), outcome(&answers[3])];
    twice.sort();
    assert_eq!(twice[0], None, "one of those with the same id is answered");
    assert_eq!((outcome(&answers[4]), outcome(&answers[5])), (Some(-32601), Some(-32600)));
    rig.close().await;
}

#[tokio::test]
async fn a_batch_without_requests_is_taken() {
    let rig = rig().await;
    let session = Session::open_at(&rig, "/mcp", "2025-03-26", None).await.unwrap();
    let answer = session.post(r#" [{"jsonrpc":"2.0","method":"notifications/initialized"}]"#).await;
    assert_eq!((answer.status, answer.text().await.as_str()), (202, ""));
    rig.close().await;
}

#[tokio::test]
async fn other_batches_are_refused() {
    let rig = rig().await;
    let ping = request(1, "ping", "{}");
    let many = format!("[{}]", vec![ping.as_str(); 1001].join(","));
    for (version, text) in [
        (LEGACY, format!("[{ping}]")),
        ("2025-06-18", format!("[{ping}]")),
        ("2024-11-05", format!("[{ping}]")),
        ("2025-03-26", "[]".to_owned()),
        ("2025-03-26", "[1".to_owned()),
        ("2025-03-26", many),
    ] {
        let session = Session::open_at(&rig, "/mcp", version, None).await.unwrap();
        let (status, error) = told(session.post(&text).await).await.unwrap_err();
        let code = if text == "[1" { -32700 } else { -32600 };
        assert_eq!((status, &error["code"]), (400, &Value::from(code)), "{version} {:.40}", text);
    }
    let nobody =
        crate::client_http::send(&rig.http, Method::POST, "/mcp", &[crate::raw::ACCEPT, crate::raw::JSON], "[]").await;
    assert_eq!(told(nobody).await.unwrap_err().0, 400);
    rig.close().await;
}
