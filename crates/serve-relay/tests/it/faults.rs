//! Gateways that misbehave.

use serde_json::json;

use crate::client::{Client, call, modern};
use crate::peer::{Peer, Reply, events, json as json_reply, reply, said};

/// What the client hears when a call is answered like this.
async fn answer_to(answer: impl Fn() -> Reply + Send + Sync + 'static) -> serde_json::Value {
    let peer = Peer::legacy(move |_| {
        let answer = answer();
        async { answer }
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    let answer = client.ask(&call(1, "x", &json!({}))).await;
    client.end().await;
    answer
}

#[tokio::test]
async fn refusals_are_answers() {
    let check = async |status: u16, content_type: &'static str, body: &'static str, parts: &[&str]| {
        let answer = answer_to(move || reply(status, content_type, body)).await;
        for part in parts {
            assert!(answer["error"].to_string().contains(part), "{part} is not in {answer}");
        }
    };
    let html = "text/html";
    check(401, html, "<h1>no</h1>", &["GATEWAY_URL_API_KEY", "\"status\":401", "http://127.0.0.1:"]).await;
    check(403, html, "", &["403"]).await;
    check(405, html, "", &["no MCP endpoint"]).await;
    check(307, html, "", &["redirects"]).await;
    check(429, html, "", &["429"]).await;
    check(500, html, "oops", &["500"]).await;
    check(503, html, "", &["503"]).await;
    check(200, html, "<h1>welcome</h1>", &["without a result"]).await;
    check(202, html, "", &["without a result"]).await;
    check(200, "application/json", "", &["without a result"]).await;
    check(200, "application/json", "{", &["no JSON"]).await;
    check(200, "application/json", r#"{"jsonrpc":"2.0","id":9,"result":{}}"#, &["without a result"]).await;
    check(200, "text/event-stream", "data: x\n\n: hello\n\n", &["without a result"]).await;
    // An error without an id is of this request; its object is passed on.
    let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no","data":{"n":1.50}}}"#;
    check(400, "application/json", text, &["\"code\":-32000,\"data\":{\"n\":1.5},\"message\":\"no\""]).await;
    check(
        200,
        "text/event-stream",
        "data: {\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-7,\"message\":\"\"}}\n\n",
        &["-7"],
    )
    .await;
}

#[tokio::test]
async fn an_error_that_names_its_request_passes_as_it_is() {
    let text = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"mismatch","x":1.50},"extra":[ ]}"#;
    let peer = Peer::new(move |_| async move { reply(400, "application/json", format!("{text}\n")) }).await;
    let mut client = Client::to(&peer.url());
    client.say(&modern(1, "tools/list", json!({}))).await;
    assert_eq!(client.line().await.unwrap().trim_end(), text);
    client.end().await;
}

#[tokio::test]
async fn odd_answers_are_lines_all_the_same() {
    let peer = Peer::legacy(async |seen| {
        let text = match seen.body["params"]["name"].as_str().unwrap_or("batch") {
            "pretty" => "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 1,\n  \"result\": {}\n}\n",
            _ => r#"[{"jsonrpc":"2.0","id":2,"result":{"b":2.0}}, {"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":3,"result":{}}]"#,
        };
        json_reply(text)
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    client.say(&call(1, "pretty", &json!({}))).await;
    assert_eq!(client.hear().await, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    client.say(&json!([call(2, "x", &json!({})), call(3, "x", &json!({}))])).await;
    assert_eq!(client.line().await.unwrap(), r#"{"jsonrpc":"2.0","id":2,"result":{"b":2.0}}"#);
    assert_eq!(client.hear().await["method"], "notifications/x");
    assert_eq!(client.hear().await["id"], 3);
    client.say(&json!([call(4, "x", &json!({})), call(5, "x", &json!({}))])).await;
    for id in [4, 5] {
        assert!(client.answer(&id.into()).await["error"].is_object(), "each is answered");
    }
    client.end().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_taken_up_again() {
    const FIRST: &str = "id: e1\nretry: 50\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\n";
    const LAST: &str = "id: e3\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
    for broken in [false, true] {
        let peer = Peer::legacy(move |seen| {
            let answer = match (seen.verb.as_str(), seen.header("last-event-id")) {
                ("POST", _) => {
                    let (sender, reply) = events();
                    sender.send(FIRST).unwrap();
                    if broken {
                        sender.send("break").unwrap();
                    }
                    reply
                }
                // Twice nothing new.
                ("GET", "e1") => said("id: e2\nretry: 50\ndata:\n\n"),
                _ => said(LAST),
            };
            async { answer }
        })
        .await;
        let mut client = Client::greeted(&peer.url()).await;
        client.say(&call(1, "x", &json!({}))).await;
        assert_eq!(client.hear().await["method"], "notifications/a");
        assert_eq!(client.hear().await["result"], json!({}), "broken: {broken}");
        let seen = peer.seen("GET", "");
        let after: Vec<_> = seen.iter().map(|seen| seen.header("last-event-id")).filter(|id| !id.is_empty()).collect();
        assert_eq!(after, ["e1", "e2"]);
        assert!(
            seen.iter()
                .all(|seen| seen.header("mcp-session-id") == "s1" && seen.header("accept") == "text/event-stream")
        );
        client.end().await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_for_good_is_an_error() {
    // Nobody knows where to go on.
    let broken = answer_to(|| {
        let (sender, reply) = events();
        sender.send("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\n").unwrap();
        sender.send("break").unwrap();
        reply
    });
    let answer = broken.await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("broke in the middle"), "{answer}");
    // The gateway does not: what was asked may have happened.
    let peer = Peer::legacy(async |seen| match seen.verb.as_str() {
        "POST" => said("id: e1\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\n"),
        _ => reply(404, "text/plain", ""),
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    let answer = client.ask(&call(1, "x", &json!({}))).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("cannot be taken up again"), "{answer}");
    assert_eq!(peer.seen("POST", "tools/call").len(), 1, "it is not asked a second time");
    client.end().await;
}

#[tokio::test]
async fn a_repeated_answer_is_passed_on_once() {
    let peer = Peer::legacy(async |_| {
        said("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/last\"}\n\n")
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    client.say(&call(1, "x", &json!({}))).await;
    assert_eq!(client.hear().await["id"], 1);
    assert_eq!(client.hear().await["method"], "notifications/last");
    client.end().await;
}
