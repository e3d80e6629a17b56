//! What passes between a client and the reference server.

use gateway_testkit::reference::{ODD_RESULT, ReferenceProcess};
use serde_json::{Value, json};

use crate::client::{Client, call, config, facts, initialize, modern, notification, text};
use crate::peer::{Peer, result};

/// The reference server in both eras, answering in JSON and in streams.
const SERVERS: [&[&str]; 3] = [&["--era", "both"], &["--era", "both", "--sse"], &["--era", "both", "--sse", "--noise"]];

#[tokio::test]
async fn messages_pass_as_they_are() {
    for arguments in SERVERS {
        let server = ReferenceProcess::http(arguments);
        let mut client = Client::greeted(server.url()).await;
        let odd = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{ODD_RESULT}}}"#);
        client.say(&call(7, "odd", &json!({}))).await;
        assert_eq!(client.line().await.as_deref(), Some(odd.as_str()), "{arguments:?}");
        client.say(&modern(7, "tools/call", json!({ "name": "odd" }))).await;
        assert_eq!(client.line().await.as_deref(), Some(odd.as_str()), "{arguments:?}");
        // The id is the client's, whatever it is.
        client.say_line(r#"{ "id":"an \u0069d", "method":"tools/call", "jsonrpc":"2.0", "params":{"name":"echo","arguments":{"text":"caf\u00e9 \u2603"}}}"#).await;
        let answer = client.line().await.unwrap();
        assert!(answer.contains(r#""id":"an \u0069d""#) && answer.contains(r#""text":"caf\u00e9 \u2603""#), "{answer}");
        let refused = client.call("rpc_error", &json!({ "code": -5, "message": "no", "data": { "a": 1 } })).await;
        assert_eq!(refused["error"], json!({ "code": -5, "message": "no", "data": { "a": 1 } }));
        let unknown =
            client.ask(&json!({ "jsonrpc": "2.0", "id": 8, "method": "un/heard.of", "params": { "a": 1 } })).await;
        assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
        let unknown = client.ask(&modern(9, "un/heard.of", json!({}))).await;
        assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
        assert_eq!(client.end().await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn every_revision_opens_its_session() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Client::to(server.url());
        let mut request = initialize(0);
        request["params"]["protocolVersion"] = revision.into();
        assert_eq!(client.ask(&request).await["result"]["protocolVersion"], revision);
        client.say(&notification("notifications/initialized", &json!({}))).await;
        assert_eq!(facts(&client.call("whoami", &json!({})).await)["protocol_version"], revision);
        let tools = client.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await;
        assert_eq!(tools["result"]["tools"][0]["x-unknown"]["order"], json!(["b", "a"]));
        client.end().await;
    }
    let mut client = Client::to(server.url());
    let found = client.ask(&modern(1, "server/discover", json!({}))).await;
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28", "{found}");
    client.end().await;
}

#[tokio::test]
async fn all_lines_at_once_are_answered_as_if_they_came_one_by_one() {
    let server = ReferenceProcess::http(&["--era", "legacy"]);
    let mut client = Client::to(server.url());
    client.say(&initialize(0)).await;
    client.say(&notification("notifications/initialized", &json!({}))).await;
    for id in 1..=20 {
        client.say(&call(id, "echo", &json!({ "text": id.to_string() }))).await;
    }
    let mut said = client.end().await;
    said.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(said.len(), 21);
    for (id, answer) in said.iter().enumerate().skip(1) {
        assert_eq!(text(answer), id.to_string());
    }
}

#[tokio::test]
async fn headers_say_what_the_gateway_needs() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    for request in [call(1, "headers", &json!({})), modern(2, "tools/call", json!({ "name": "headers" }))] {
        let is_modern = request["id"] == 2;
        let headers = facts(&client.ask(&request).await);
        assert_eq!(headers["authorization"], "Bearer k3y");
        assert_eq!(headers["x-session-id"], "sess_1");
        assert_eq!(headers["accept"], "application/json, text/event-stream");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["mcp-protocol-version"], if is_modern { "2026-07-28" } else { "2025-11-25" });
        assert_eq!(headers["mcp-session-id"].is_string(), !is_modern);
        assert_eq!(headers["mcp-method"].as_str(), is_modern.then_some("tools/call"));
        assert_eq!(headers["mcp-name"].as_str(), is_modern.then_some("headers"));
        assert!(headers["origin"].is_null() && headers["cookie"].is_null(), "{headers}");
    }
    client.end().await;
}

#[tokio::test]
async fn progress_comes_in_order_and_before_the_result() {
    for arguments in SERVERS {
        let server = ReferenceProcess::http(arguments);
        let mut client = Client::greeted(server.url()).await;
        let params = json!({ "name": "progress", "arguments": { "steps": 50 }, "_meta": { "progressToken": "t" } });
        let legacy = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params.clone() });
        for request in [legacy, modern(2, "tools/call", params)] {
            client.say(&request).await;
            for step in 1..=50 {
                let progress = client.hear().await;
                assert_eq!(
                    (&progress["method"], &progress["params"]["progress"]),
                    (&"notifications/progress".into(), &step.into())
                );
            }
            let answer = client.hear().await;
            assert_eq!((&answer["id"], text(&answer)), (&request["id"], "done"));
        }
        client.end().await;
    }
}

#[tokio::test]
async fn questions_reach_the_client_and_answers_the_server() {
    for arguments in SERVERS {
        let server = ReferenceProcess::http(arguments);
        let mut client = Client::greeted(server.url()).await;
        for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
            client.say(&call(1, "ask", &json!({ "method": method, "params": { "x": [1] } }))).await;
            let question = client.hear().await;
            assert_eq!((&question["method"], &question["params"]), (&method.into(), &json!({ "x": [1] })));
            client.say_line(&format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"n":1.50}}}}"#, question["id"])).await;
            let answer = client.hear().await;
            assert_eq!(text(&answer), r#"{"result":{"n":1.50}}"#);
            // The reference server wants new ids.
            client = {
                client.end().await;
                Client::greeted(server.url()).await
            };
        }
    }
}

#[tokio::test]
async fn what_the_server_says_of_its_own_accord_is_heard() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    // The stream is opened beside everything else.
    let changed = |message: &Value| message["method"] == "notifications/tools/list_changed";
    for name in 0.. {
        let id = 1000 + name;
        client
            .say(&modern(id, "tools/call", json!({ "name": "add_tool", "arguments": { "name": format!("t{name}") } })))
            .await;
        let message = client.hear().await;
        if changed(&message) {
            client.answer(&id.into()).await;
            break;
        }
        assert!(name < 10_000, "{message}");
    }
    // In the other era.
    let params = json!({ "notifications": { "toolsListChanged": true } });
    client.say(&modern(5, "subscriptions/listen", params)).await;
    client.hear_until(|message| message["method"] == "notifications/subscriptions/acknowledged").await;
    client.say(&modern(6, "tools/call", json!({ "name": "add_tool", "arguments": { "name": "more" } }))).await;
    let told = client.hear_until(|message| changed(message) && message["params"]["_meta"].is_object()).await;
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 5);
    // The subscription holds nobody up.
    client.end().await;
}

#[tokio::test]
async fn cancelling_reaches_the_server_in_both_eras() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    client.say(&call(1, "hang", &json!({}))).await;
    client.say(&modern(2, "tools/call", json!({ "name": "hang" }))).await;
    client.poll("cancelled", |found| found["running"] == 2).await;
    client.say(&notification("notifications/cancelled", &json!({ "requestId": 1 }))).await;
    client.poll("cancelled", |found| found["by_notification"] == 1).await;
    client.say(&notification("notifications/cancelled", &json!({ "requestId": 2, "reason": "no" }))).await;
    client.poll("cancelled", |found| found["by_disconnect"] == 1 && found["running"] == 0).await;
    // One that follows its request at once does not overtake it.
    for id in 3..20 {
        client.say(&call(id, "hang", &json!({}))).await;
        client.say(&notification("notifications/cancelled", &json!({ "requestId": id }))).await;
    }
    client.poll("cancelled", |found| found["by_notification"] == 18 && found["running"] == 0).await;
    // Of a request that is unknown, or over.
    client.say(&notification("notifications/cancelled", &json!({ "requestId": 77 }))).await;
    assert_eq!(text(&client.call("echo", &json!({ "text": "on" })).await), "on");
    let answered = client.heard.iter().find(|message| message["id"].as_u64().is_some_and(|id| (1..20).contains(&id)));
    assert_eq!(answered, None, "what was cancelled is not answered");
    assert_eq!(client.end().await, Vec::<Value>::new());
}

#[tokio::test]
async fn large_messages_pass() {
    for arguments in SERVERS {
        let server = ReferenceProcess::http(arguments);
        let mut client = Client::greeted(server.url()).await;
        let large = "é\n".repeat(1_000_000);
        let answer = client.call("echo", &json!({ "text": large })).await;
        assert!(text(&answer) == large, "{} bytes of {}", text(&answer).len(), large.len());
        let answer = client.call_modern("big", &json!({ "bytes": 10_000_000 })).await;
        assert!(text(&answer).len() > 9_999_000);
        client.end().await;
    }
}

#[tokio::test]
async fn requests_run_side_by_side() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut client = Client::greeted(server.url()).await;
    let begin = std::time::Instant::now();
    for id in 1..=200 {
        client.say(&call(id, "echo", &json!({ "text": id.to_string(), "ms": 500 }))).await;
    }
    let mut ids: Vec<_> = Vec::new();
    for _ in 0..200 {
        let answer = client.hear().await;
        assert_eq!(text(&answer), answer["id"].to_string());
        ids.push(answer["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=200).collect::<Vec<_>>());
    // One after the other they would take 100 seconds.
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    client.end().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_answered() {
    let server = ReferenceProcess::http(&["--era", "both"]);
    let mut config = config(server.url());
    config.max_message_bytes = 2000;
    config.max_requests = 3;
    let mut client = Client::start(config);
    client.greet().await;
    for (line, code) in [("{", -32700), ("5", -32700), (r#"{"jsonrpc":"2.0","id":1}"#, -32700), ("\u{1}", -32700)] {
        client.say_line(line).await;
        let answer = client.hear().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &code.into()), "{line}");
    }
    client.say_line("").await;
    client.say_line(" \r").await;
    let long = client.call("echo", &json!({ "text": "x".repeat(5000) })).await;
    assert!(long["error"]["message"].as_str().unwrap().contains("relay.max_message_bytes (2000)"), "{long}");
    let long = client.call("big", &json!({ "bytes": 5000 })).await;
    assert!(long["error"]["message"].as_str().unwrap().contains("relay.max_message_bytes (2000)"), "{long}");
    // An answer of the client that is too long is an error to whoever asked.
    client.say(&call(1, "ask", &json!({ "method": "roots/list" }))).await;
    let question = client.hear().await;
    client.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "roots": "x".repeat(5000) } })).await;
    let answer = client.hear().await;
    assert!(text(&answer).contains("relay.max_message_bytes"), "{answer}");
    // A second request of the same id, and one too many.
    for id in 2..=4 {
        client.say(&call(id, "hang", &json!({}))).await;
    }
    let repeated = client.ask(&call(2, "hang", &json!({}))).await;
    assert!(repeated["error"]["message"].as_str().unwrap().contains("this id"), "{repeated}");
    let too_many = client.ask(&call(5, "echo", &json!({ "text": "x" }))).await;
    assert!(too_many["error"]["message"].as_str().unwrap().contains("relay.max_requests"), "{too_many}");
    client.say(&notification("notifications/cancelled", &json!({ "requestId": 2 }))).await;
    client.shutdown.cancel();
    client.end().await;
}

#[tokio::test]
async fn arguments_travel_in_headers_where_a_tool_wants_it() {
    let peer = Peer::new(async |seen| match seen.method() {
        "tools/list" => {
            let properties = r#"{"city":{"type":"string","x-mcp-header":"Place"},"day":{"type":"string"}}"#;
            let schema = format!(r#"{{"type":"object","properties":{properties}}}"#);
            result(&seen, &format!(r#"{{"tools":[{{"name":"weather","inputSchema":{schema}}}]}}"#))
        }
        _ => result(&seen, &format!("\"{}\"", seen.header("mcp-param-place"))),
    })
    .await;
    let mut client = Client::to(&peer.url());
    client.ask(&modern(1, "tools/list", json!({}))).await;
    let params = json!({ "name": "weather", "arguments": { "city": "Rome", "day": "today" } });
    assert_eq!(client.ask(&modern(2, "tools/call", params.clone())).await["result"], "Rome");
    // Older revisions know nothing of it.
    let older = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params });
    assert_eq!(client.ask(&older).await["result"], "");
    client.end().await;
}
