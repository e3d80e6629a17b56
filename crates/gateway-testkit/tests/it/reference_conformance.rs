//! The conformance fixture where the official suite does not look: over stdio, and what it refuses.

use gateway_testkit::reference::{Options, ReferenceProcess, ServedEra};
use serde_json::{Value, json};

use crate::reference_http::{MODERN, greeted, post, send};
use crate::reference_stdio::Client;

const FIXTURE: [&str; 3] = ["--era", "both", "--conformance"];

fn fixture() -> Options {
    Options { era: ServedEra::Both, conformance: true, ..Options::default() }
}

/// Parameters of a modern request.
fn modern(mut params: Value, capabilities: &Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    params.to_string()
}

/// What the client's answers lead to, round by round, in the modern era.
#[tokio::test]
async fn a_modern_client_carries_the_state_from_round_to_round() {
    let mut client = Client::new(fixture());
    let call = |more: Value| {
        let mut params = json!({ "name": "test_input_required_result_multi_round" });
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        modern(params, &json!({ "elicitation": {} }))
    };
    let answer = |key: &str, content: Value| json!({ key: { "action": "accept", "content": content } });

    let first = client.request("1", "tools/call", &call(json!({}))).await;
    assert_eq!(first["result"]["resultType"], "input_required");
    let state = first["result"]["requestState"].as_str().expect("state").to_owned();
    let retry =
        |state: &str| json!({ "requestState": state, "inputResponses": answer("step1", json!({ "name": "Ada" })) });
    let second = client.request("2", "tools/call", &call(retry(&state))).await;
    let next = second["result"]["requestState"].as_str().expect("state").to_owned();
    assert!(second["result"]["inputRequests"]["step2"].is_object() && next != state, "{second}");

    let last = json!({ "requestState": next, "inputResponses": answer("step2", json!({ "color": "blue" })) });
    let third = client.request("3", "tools/call", &call(last)).await;
    assert_eq!(third["result"]["content"][0]["text"], "Ada likes blue");

    for (id, broken) in [("4", retry(&state.replace('é', "e"))), ("5", retry(&format!("{state} ")))] {
        let refused = client.request(id, "tools/call", &call(broken)).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    let stateless = json!({ "inputResponses": answer("step1", json!({ "name": "Ada" })) });
    let refused = client.request("6", "tools/call", &call(stateless)).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

#[tokio::test]
async fn a_legacy_client_is_asked_in_the_middle_of_the_call() {
    let mut client = Client::greeted_with(fixture(), r#"{"elicitation":{},"roots":{}}"#).await;
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_input_required_result_multi_round"}}"#;
    client.send(call).await;
    for content in [json!({ "name": "Ada" }), json!({ "color": "blue" })] {
        let question: Value = serde_json::from_str(&client.line().await).expect("JSON");
        assert_eq!(question["method"], "elicitation/create");
        let answer =
            json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "accept", "content": content } });
        client.send(&answer.to_string()).await;
    }
    let answer: Value = serde_json::from_str(&client.line().await).expect("JSON");
    assert_eq!(answer["result"]["content"][0]["text"], "Ada likes blue");
    assert_eq!(answer["result"].get("resultType"), None);

    let undeclared = client.call("2", "test_sampling", r#"{"prompt":"p"}"#).await;
    assert_eq!(undeclared["result"]["isError"], true);
    let lenient = client.request("3", "tools/call", r#"{"name":"test_missing_capability"}"#).await;
    assert_eq!(lenient["result"]["isError"], Value::Null);
}

#[tokio::test]
async fn only_who_watches_a_resource_hears_of_it() {
    let mut client = Client::greeted(fixture()).await;
    let trigger = "test_trigger_resource_update";
    assert!(client.call("1", trigger, "{}").await["result"].is_object());
    let watched = r#"{"uri":"test://watched-resource"}"#;
    assert_eq!(client.request("2", "resources/subscribe", watched).await["result"], json!({}));
    let updated = client.call("3", trigger, "{}").await;
    assert_eq!(updated["params"]["uri"], "test://watched-resource", "{updated}");
    assert!(client.line().await.contains(r#""id":3"#));
    assert_eq!(client.request("4", "resources/unsubscribe", watched).await["result"], json!({}));
    assert!(client.call("5", trigger, "{}").await["result"].is_object());
}

#[tokio::test]
async fn a_listener_hears_what_it_named_and_nothing_else() {
    let mut client = Client::new(fixture());
    let filter = json!({ "promptsListChanged": true, "resourceSubscriptions": ["test://watched-resource"] });
    let listen = modern(json!({ "notifications": filter }), &json!({}));
    let acknowledged = client.request(r#""l""#, "subscriptions/listen", &listen).await;
    assert_eq!(acknowledged["params"]["notifications"], filter);
    let subscription = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(acknowledged["params"]["_meta"][subscription], "l");

    let trigger = |tool: &str| modern(json!({ "name": tool }), &json!({}));
    let silent = client.request("1", "tools/call", &trigger("test_trigger_tool_change")).await;
    assert!(silent["result"].is_object(), "{silent}");
    for (id, tool, method) in [
        ("2", "test_trigger_prompt_change", "notifications/prompts/list_changed"),
        ("3", "test_trigger_resource_update", "notifications/resources/updated"),
    ] {
        let told = client.request(id, "tools/call", &trigger(tool)).await;
        assert_eq!((&told["method"], &told["params"]["_meta"][subscription]), (&json!(method), &json!("l")));
        assert!(client.line().await.contains(r#""resultType":"complete""#));
    }
}

#[test]
fn a_stream_that_ends_in_the_middle_is_resumed_once_and_again() {
    let server = ReferenceProcess::http(&FIXTURE);
    let headers = greeted(&server);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_reconnection"}}"#;
    let beginning = post(&server, &headers.each_ref().map(String::as_str), call);
    assert!(beginning.contains("id: 0-0") && beginning.contains("retry: ") && !beginning.contains("result"));
    for _ in 0..2 {
        let again = [headers[0].as_str(), &headers[1], "Last-Event-ID: 0-0"];
        let rest = send(&server, "GET", &again, "");
        assert!(rest.contains("id: 0-1") && rest.contains("Reconnection test completed"), "{rest}");
    }
    let unknown = [headers[0].as_str(), &headers[1], "Last-Event-ID: 7-0"];
    assert!(send(&server, "GET", &unknown, "").starts_with("HTTP/1.1 400"));
}

#[test]
fn headers_and_hosts_are_checked() {
    let server = ReferenceProcess::http(&FIXTURE);
    let body = |method: &str, params: Value| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{}}}"#, modern(params, &json!({})))
    };
    let read = body("resources/read", json!({ "uri": "test://static-text" }));
    let region = body("tools/call", json!({ "name": "test_custom_header", "arguments": { "region": "é" } }));
    let initialize = body("initialize", json!({}));
    for (text, headers, status, expected) in [
        (&read, &["Mcp-Method: resources/read", "Mcp-Name: test://static-text"][..], 200, "ttlMs"),
        (&read, &["Mcp-Method: resources/read"], 400, "-32020"),
        (&region, &["Mcp-Method: tools/call", "Mcp-Name: test_custom_header"], 400, "-32020"),
        (
            &region,
            &["Mcp-Method: tools/call", "Mcp-Name: test_custom_header", "Mcp-Param-Region: =?base64?w6k=?="],
            200,
            "region: é",
        ),
        (&initialize, &["Mcp-Method: initialize"], 404, "-32601"),
        (&read, &["Mcp-Method: resources/read", "Mcp-Name: test://static-text", "Host: evil.example"], 403, "Host"),
    ] {
        let headers = [&[MODERN], headers].concat();
        let answer = post(&server, &headers, text);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(expected),
            "{headers:?}: {answer}"
        );
    }
}
