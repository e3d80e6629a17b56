//! What a client sees: two tools, those pinned beside them, or everything.

use gateway_core::Era;
use gateway_testkit::fakes::{Answer, FakeServer};
use http::Method;
use serde_json::{Value, json};
use serve_mcp::{Expose, McpConfig};

use crate::client::{Ask, Client};
use crate::client_http::send;
use crate::raw::{JSON, ask_modern, told};
use crate::rig::{Rig, Setup, Wire};

fn demo() -> FakeServer {
    let failing = r#"{"content":[{"type":"text","text":"no"}],"isError":true,"x":1.0}"#;
    FakeServer::new()
        .with_tool("echo", "Repeats a message", Answer::echo())
        .with_tool("clock", "Tells the time", Answer::result(r#"{"content":[],"structuredContent":{"at":1.50}}"#))
        .with_tool("fail", "Fails", Answer::result(failing))
}

async fn rig(pinned: &[&str]) -> Rig {
    let pinned = pinned.iter().map(|&name| name.to_owned()).collect();
    let mcp = McpConfig { expose: Expose::Search, pinned, ..McpConfig::default() };
    Rig::new(Setup { mcp, fakes: vec![("demo", demo()), ("more", demo())], ..Setup::default() }).await
}

async fn names(client: &Client) -> Vec<String> {
    let list: Value = serde_json::from_str(&client.ask(Ask::new("tools/list", "{}")).await.member("tools")).unwrap();
    list.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

const ALL: [&str; 6] = ["demo__echo", "demo__clock", "demo__fail", "more__echo", "more__clock", "more__fail"];

#[tokio::test]
async fn the_url_says_what_is_shown() {
    let rig = rig(&["more__clock", "nobody"]).await;
    for era in [Era::Legacy, Era::Modern] {
        for (path, expected) in [
            ("/mcp", &["search_tools", "execute_tool", "more__clock"][..]),
            ("/mcp?expose=search", &["search_tools", "execute_tool", "more__clock"]),
            ("/mcp?expose=all", &ALL),
            ("/mcp?x=y&expose=all&session=", &ALL),
        ] {
            assert_eq!(names(&Client::at(&rig, era, path).await).await, expected, "{path}");
        }
    }
    let wrong = ask_modern(&rig, "/mcp?expose=some", &[], "tools/list", "").await;
    assert_eq!(told(wrong).await.unwrap_err().0, 400);
    rig.close().await;
}

#[tokio::test]
async fn only_what_is_shown_is_served() {
    let rig = rig(&["more__clock"]).await;
    for (era, wire) in
        [(Era::Legacy, Wire::Http), (Era::Modern, Wire::Http), (Era::Legacy, Wire::Stdio), (Era::Modern, Wire::Stdio)]
    {
        let client = Client::of(&rig, era, wire).await;
        assert_eq!(client.call("more__clock", "{}").await.member("structuredContent"), r#"{"at":1.50}"#);
        for hidden in ["demo__clock", "clock", "nobody"] {
            assert_eq!(client.call(hidden, "{}").await.error()["code"], -32602, "{hidden}");
        }
        for (method, code) in [("prompts/get", -32601), ("resources/read", -32601), ("completion/complete", -32601)] {
            let params = r#"{"name":"x","uri":"x","ref":{"type":"ref/prompt","name":"x"},"argument":{}}"#;
            assert_eq!(client.ask(Ask::new(method, params)).await.error()["code"], code, "{method}");
        }
        assert_eq!(client.ask(Ask::new("prompts/list", "{}")).await.member("prompts"), "[]");
    }
    rig.close().await;
}

#[tokio::test]
async fn tools_are_found_and_run() {
    let rig = rig(&[]).await;
    for era in [Era::Legacy, Era::Modern] {
        let client = Client::of(&rig, era, Wire::Http).await;
        let found = client.call("search_tools", r#"{"query":"the time","limit":1}"#).await;
        let structured: Value = serde_json::from_str(&found.member("structuredContent")).unwrap();
        let tool = &structured["tools"][0];
        assert_eq!((structured["tools"].as_array().unwrap().len(), &tool["server"]), (1, &json!("demo")));
        assert_eq!(serde_json::from_str::<Value>(&found.text()).unwrap(), structured, "the text says the same");
        let name = tool["name"].as_str().unwrap();
        let run = |args: &str| format!(r#"{{"tool_name":"{name}","args":{args}}}"#);
        let result = client.call("execute_tool", &run("{}")).await;
        assert_eq!(result.member("structuredContent"), r#"{"at":1.50}"#, "byte for byte");
        let echoed = client.text("execute_tool", r#"{"tool_name":"more__echo","args":{"a":1.50e1}}"#).await;
        assert_eq!(echoed, r#"{"a":1.50e1}"#);
        let failed = client.call("execute_tool", r#"{"tool_name":"more__fail"}"#).await;
        assert_eq!((failed.member("isError").as_str(), failed.member("x").as_str()), ("true", "1.0"));
    }
    rig.close().await;
}

/// What a model did wrong it can read.
#[tokio::test]
async fn mistakes_of_a_model_are_results() {
    let rig = rig(&[]).await;
    for era in [Era::Legacy, Era::Modern] {
        let client = Client::of(&rig, era, Wire::Http).await;
        for (tool, arguments, word) in [
            ("search_tools", "{}", "query"),
            ("search_tools", r#"{"query":7}"#, "query"),
            ("search_tools", r#"{"query":"  "}"#, "query"),
            ("search_tools", r#"{"query":"x","limit":0}"#, "limit"),
            ("search_tools", r#"{"query":"x","limit":51}"#, "limit"),
            ("search_tools", r#"{"query":"x","limit":"5"}"#, "limit"),
            ("search_tools", r#"{"query":"x","limit":-1}"#, "limit"),
            ("search_tools", r#"{"query":"x","session_id":7}"#, "session_id"),
            ("search_tools", r#"{"query":"x","session_id":"sess_gone"}"#, "session"),
            ("search_tools", "[]", "query"),
            ("execute_tool", "{}", "tool_name"),
            ("execute_tool", r#"{"tool_name":7}"#, "tool_name"),
            ("execute_tool", r#"{"tool_name":"nobody"}"#, "nobody"),
            ("execute_tool", r#"{"tool_name":"echo"}"#, "demo__echo"),
            ("execute_tool", r#"{"tool_name":"demo__echo","args":[1]}"#, "object"),
            ("execute_tool", r#"{"tool_name":"demo__echo","args":"{}"}"#, "object"),
            ("execute_tool", r#"{"tool_name":"demo__echo","session_id":{}}"#, "session_id"),
            ("execute_tool", r#"{"tool_name":"demo__echo","session_id":"../x"}"#, "session"),
        ] {
            let told = client.call(tool, arguments).await;
            assert_eq!(told.member("isError"), "true", "{tool} {arguments}");
            assert!(told.text().contains(word), "{tool} {arguments}: {}", told.text());
        }
    }
    rig.close().await;
}

#[tokio::test]
async fn a_session_may_be_named_in_the_arguments() {
    let rig = rig(&[]).await;
    let made = send(&rig.http, Method::POST, "/sessions/create", &[JSON], "{}").await.text().await;
    let id = serde_json::from_str::<Value>(&made).unwrap()["session_id"].as_str().unwrap().to_owned();
    let headers = [JSON, ("x-session-id", &*id)];
    let removed = send(&rig.http, Method::POST, "/mcp/servers/remove", &headers, r#"{"server_name":"more"}"#).await;
    assert_eq!(removed.status, 200);
    let client = Client::of(&rig, Era::Legacy, Wire::Stdio).await;
    // Without `more` the name is unique.
    let with = |more: &str| format!(r#"{{"tool_name":"echo","args":{{"a":1}}{more}}}"#);
    assert_eq!(client.text("execute_tool", &with(&format!(r#","session_id":"{id}""#))).await, r#"{"a":1}"#);
    for none in ["", r#","session_id":null"#, r#","session_id":"""#] {
        assert_eq!(client.call("execute_tool", &with(none)).await.member("isError"), "true", "{none}");
    }
    let found = client.call("search_tools", &format!(r#"{{"query":"message","session_id":"{id}"}}"#)).await;
    let found: Value = serde_json::from_str(&found.member("structuredContent")).unwrap();
    assert_eq!(found["tools"].as_array().unwrap().len(), 1, "{found}");
    rig.close().await;
}
