//! Sessions that the client knows nothing of.

use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use gateway_testkit::reference::ReferenceProcess;
use serde_json::{Value, json};

use crate::client::{Client, call, config, facts, initialize, notification, text};
use crate::peer::{Peer, accepted, events, greet, reply, result, said};

#[tokio::test]
async fn a_lost_session_is_opened_anew() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    let before = facts(&client.call("whoami", &json!({})).await);
    client.call("forget", &json!({})).await;
    client.say(&call(1, "whoami", &json!({}))).await;
    // Lists may be others now.
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
    let after = facts(&client.answer(&1.into()).await);
    assert_eq!((&before["pid"], before["connection"] == after["connection"]), (&after["pid"], false));
    client.end().await;
}

#[tokio::test]
async fn a_server_that_restarts_is_used_on() {
    let mut server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    let before = facts(&client.call("whoami", &json!({})).await);
    client.say(&call(1, "hang", &json!({}))).await;
    client.poll("cancelled", |found| found["running"] == 1).await;
    let address = server.address().to_owned();
    server.kill();
    let broken = client.answer(&1.into()).await;
    assert!(broken["error"]["message"].as_str().unwrap().contains("broke in the middle"), "{broken}");
    let down = client.call("whoami", &json!({})).await;
    assert!(down["error"]["message"].as_str().unwrap().contains("cannot reach the gateway"), "{down}");
    let _server = ReferenceProcess::http_at(&address, &["--era", "both"]);
    let after = facts(&client.call("whoami", &json!({})).await);
    assert_ne!(before["pid"], after["pid"]);
    client.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_down_at_first_is_used_later() {
    let mut server = ReferenceProcess::http(&["--era", "both"]);
    let (url, address) = (server.url().to_owned(), server.address().to_owned());
    server.kill();
    let mut client = Client::to(&url);
    let answer = client.ask(&initialize(0)).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("cannot reach the gateway at http://{address}: ")), "{message}");
    let _server = ReferenceProcess::http_at(&address, &["--era", "both"]);
    client.greet().await;
    assert_eq!(text(&client.call("echo", &json!({ "text": "x" })).await), "x");
    client.end().await;
}

#[tokio::test]
async fn of_many_who_find_the_session_lost_one_opens_another() {
    let peer = Peer::legacy(async |seen| match seen.header("mcp-session-id") {
        "s1" => reply(404, "text/plain", "what session?"),
        session => result(&seen, &format!("{{\"session\":\"{session}\"}}")),
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    for id in 1..=20 {
        client.say(&call(id, "x", &json!({}))).await;
    }
    for id in 1..=20 {
        assert_eq!(client.hear_until(|message| message["id"].is_u64()).await["result"]["session"], "s2", "{id}");
    }
    assert_eq!(peer.seen("POST", "initialize").len(), 2);
    let initialized = peer.seen("POST", "notifications/initialized");
    let sessions: Vec<_> = initialized.iter().map(|seen| seen.header("mcp-session-id")).collect();
    assert_eq!(sessions, ["s1", "s2"]);
    client.end().await;
    assert_eq!(peer.seen("DELETE", "").iter().map(|seen| seen.header("mcp-session-id")).collect::<Vec<_>>(), ["s2"]);
}

#[tokio::test]
async fn a_session_that_is_lost_at_once_is_an_error() {
    // As the TypeScript SDK's example says it.
    let peer = Peer::legacy(async |_| {
        let text = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#;
        reply(400, "application/json", text)
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    let answer = client.ask(&call(1, "x", &json!({}))).await;
    assert_eq!(answer["error"], json!({ "code": -32000, "message": "Bad Request: No valid session ID provided" }));
    assert_eq!(peer.seen("POST", "tools/call").len(), 2, "it is tried once more");
    client.end().await;
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_anew_is_an_error() {
    let first = AtomicBool::new(true);
    let peer = Peer::new(move |seen| {
        let is_first = seen.method() == "initialize" && first.swap(false, SeqCst);
        async move {
            match seen.method() {
                "initialize" if is_first => greet(&seen, "s1"),
                "initialize" => reply(
                    200,
                    "application/json",
                    format!(
                        r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-1,"message":"not again"}}}}"#,
                        seen.body["id"]
                    ),
                ),
                "notifications/initialized" => accepted(),
                _ => reply(404, "text/plain", ""),
            }
        }
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    let answer = client.ask(&call(1, "x", &json!({}))).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("lost our session") && message.contains("not again"), "{message}");
    client.end().await;
}

#[tokio::test]
async fn nothing_overtakes_the_end_of_the_handshake() {
    let (release, released) = tokio::sync::watch::channel(false);
    let peer = Peer::new(move |seen| {
        let mut released = released.clone();
        async move {
            match seen.method() {
                "initialize" => greet(&seen, "s1"),
                "notifications/initialized" => {
                    released.wait_for(|released| *released).await.unwrap();
                    accepted()
                }
                _ => result(&seen, "{}"),
            }
        }
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    client.say(&call(1, "x", &json!({}))).await;
    peer.wait_for("POST", "notifications/initialized", 1).await;
    assert_eq!(peer.seen("POST", "tools/call").len(), 0);
    release.send(true).unwrap();
    client.answer(&1.into()).await;
    let seen = &peer.seen("POST", "tools/call")[0];
    assert_eq!((seen.header("mcp-session-id"), seen.header("mcp-protocol-version")), ("s1", "2025-06-18"));
    assert_eq!(seen.target, "/mcp?expose=all");
    client.end().await;
}

#[tokio::test]
async fn the_gateways_own_stream_is_taken_up_and_tells_of_a_lost_session() {
    const CHANGED: &str = "id: e1\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\n";
    const MORE: &str = "id: e2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/b\"}\n\n";
    let (held, count) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let peer = Peer::new(move |seen| {
        let answer = match (seen.verb.as_str(), seen.method(), seen.header("mcp-session-id")) {
            ("GET", _, "s1") => match seen.header("last-event-id") {
                "" => said(CHANGED),
                "e1" => said(MORE),
                _ => reply(404, "text/plain", ""),
            },
            ("GET", ..) => {
                let (sender, reply) = events();
                held.lock().unwrap().push(sender);
                reply
            }
            (_, "initialize", _) => greet(&seen, if count.fetch_add(1, SeqCst) == 0 { "s1" } else { "s2" }),
            (_, "notifications/initialized", _) => accepted(),
            (_, _, session) => result(&seen, &format!("{{\"session\":\"{session}\"}}")),
        };
        async { answer }
    })
    .await;
    let mut client = Client::greeted(&peer.url()).await;
    assert_eq!(client.hear().await["method"], "notifications/a");
    assert_eq!(client.hear().await["method"], "notifications/b");
    // Nobody asked anything: the stream itself told it.
    peer.wait_for("POST", "initialize", 2).await;
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
    client.end().await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_is_opened_anew_from_its_end() {
    let peer = Peer::new(async |seen| match (seen.verb.as_str(), seen.method()) {
        ("GET", _) => said(concat!(
            "id: e1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/a\"}\n\ndata: ",
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n\n"
        )),
        (_, "initialize") => greet(&seen, "s1"),
        _ => accepted(),
    })
    .await;
    let mut config = config(&peer.url());
    config.max_message_bytes = 300;
    let mut client = Client::start(config);
    client.greet().await;
    for _ in 0..2 {
        assert_eq!(client.hear().await["method"], "notifications/a");
    }
    let seen = peer.seen("GET", "");
    assert!(seen.iter().all(|seen| seen.header("last-event-id").is_empty()), "{seen:?}");
    client.end().await;
}

#[tokio::test]
async fn the_session_is_ended_with_the_input() {
    let peer = Peer::legacy(async |seen| result(&seen, "{}")).await;
    let client = Client::greeted(&peer.url()).await;
    assert_eq!(client.end().await, Vec::<Value>::new());
    let seen = peer.seen("DELETE", "");
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].header("mcp-session-id"), seen[0].header("authorization")), ("s1", "Bearer k3y"));
    // Where there is no session, there is nothing to end.
    let mut client = Client::to(&peer.url());
    client.say(&notification("notifications/x", &json!({}))).await;
    client.end().await;
    assert_eq!((peer.seen("DELETE", "").len(), peer.seen("POST", "notifications/x").len()), (1, 1));
}
