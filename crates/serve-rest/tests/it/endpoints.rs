//! What each endpoint answers when all is well.

use gateway_testkit::fakes::{Answer as Tool, FakeServer, context};
use serde_json::{Value, json};

use crate::harness::{Door, ODD_RESULT, Request, Setup};

#[tokio::test]
async fn execute_gives_the_result_byte_for_byte() {
    let door = Door::open().await;
    for (path, body) in [
        ("/mcp/execute", r#"{"tool_name":"odd","args":{}}"#),
        ("/mcp/execute", r#"{"name":"demo__odd","arguments":{}}"#),
        ("/tool", r#"{"name":"odd","arguments":{}}"#),
        ("/tool", r#"{"tool_name":"odd","server":"demo"}"#),
    ] {
        let answer = door.post(path, body).await;
        let value = answer.ok();
        let begin = answer.body.find(r#""call_tool_result":"#).unwrap() + r#""call_tool_result":"#.len();
        assert_eq!(&answer.body[begin..answer.body.len() - 2], ODD_RESULT);
        assert_eq!(value["status"], "completed");
        assert_eq!(value["request_id"], answer.header("x-request-id").unwrap());
        assert!(value["timestamp"].as_f64().unwrap() > 1.7e9);
        assert!(value.get("session_id").is_none());
        let result = &value["result"];
        assert_eq!(
            (&result["success"], &result["server"], &result["tool"]),
            (&json!(true), &json!("demo"), &json!("odd"))
        );
        assert_eq!(result["content"], "café \"one\"\ntwo\n");
        uuid_of(&result["server_uuid"]);
    }
}

#[tokio::test]
async fn arguments_arrive_byte_for_byte() {
    let door = Door::open().await;
    let args = r#"{ "n":1.50e+3,"big":100000000000000000000000001, "s":"caf\u00e9","b":{"z":1,"a":[ ]} }"#;
    let answer = door.post("/mcp/execute", &format!(r#"{{"args": {args} ,"tool_name":"echo"}}"#)).await.ok();
    assert_eq!(answer["result"]["content"], args);
    let answer = door.post("/mcp/execute", r#"{"tool_name":"echo"}"#).await.ok();
    assert_eq!(answer["result"]["content"], "{}");
}

#[tokio::test]
async fn a_tool_that_fails_is_an_answer() {
    let door = Door::open().await;
    let answer = door.post("/mcp/execute", r#"{"tool_name":"fail"}"#).await.ok();
    assert_eq!(answer["status"], "completed");
    assert_eq!((&answer["result"]["success"], &answer["result"]["content"]), (&json!(false), &json!("no")));
}

#[tokio::test]
async fn large_results_pass_unchanged() {
    let text = "0123456789abcdef".repeat(256 * 1024);
    let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"structuredContent":{{"x":"{text}"}}}}"#);
    let large = FakeServer::new().with_tool("large", "Says much", Tool::result(&result));
    let door = Door::with(Setup { servers: vec![("large", large)], ..Setup::default() }).await;
    let answer = door.post("/mcp/execute", r#"{"tool_name":"large"}"#).await;
    assert_eq!(answer.ok()["result"]["content"], text.as_str());
    assert!(answer.body.ends_with(&format!(r#""call_tool_result":{result}}}}}"#)));
}

#[tokio::test]
async fn search_finds() {
    let door = Door::open().await;
    let answer = door.post("/mcp/search", r#"{"query":"repeat a message","limit":2}"#).await;
    let value = answer.ok();
    assert_eq!(value["status"], "completed");
    assert_eq!(value["request_id"], answer.header("x-request-id").unwrap());
    assert_eq!(value["router"], "keyword");
    assert!(value["took_ms"].as_f64().unwrap() >= 0.0 && value["timestamp"].as_f64().unwrap() > 1.7e9);
    let found = &value["result"][0];
    assert_eq!((&found["mcp_server"], &found["tool_name"]), (&json!("demo"), &json!("echo")));
    assert_eq!(found["qualified_name"], "demo__echo");
    assert_eq!(found["description"], "Repeats the message that it is given");
    assert_eq!(found["input_schema"], json!({"type": "object"}));
    assert!((0.0..=1.0).contains(&found["match_score"].as_f64().unwrap()));
    assert!(!found["reasoning"].as_str().unwrap().is_empty());
    uuid_of(&found["mcp_server_uuid"]);
    let nothing = door.post("/mcp/search", r#"{"query":"xylophone zeppelin quark"}"#).await.ok();
    assert_eq!(nothing["result"], json!([]));
}

#[tokio::test]
async fn tools_keep_all_that_was_declared() {
    let page = r#"{"tools":[{ "name":"rich","title":"Rich","description":"d","inputSchema":{"type":"object","x-new":[1.0]},"outputSchema":{},"icons":[],"annotations":{"readOnlyHint":true},"_meta":{"a":1.50},"mcp_server":"spoofed"},{"name":"bare","inputSchema":{}}]}"#;
    let rich = FakeServer::new().with_pages(&[page]);
    let door = Door::with(Setup { servers: vec![("rich", rich)], ..Setup::default() }).await;
    for path in ["/mcp/tools", "/tools"] {
        let answer = door.get(path).await;
        let value = answer.ok();
        assert_eq!(value["total"], value["tools"].as_array().unwrap().len());
        assert!(
            answer.body.contains(r#""_meta":{"a":1.50}"#) && answer.body.contains(r#"{"type":"object","x-new":[1.0]}"#)
        );
        assert!(!answer.body.contains("spoofed"));
        let tools = value["tools"].as_array().unwrap();
        let of = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
        let rich = of("rich");
        assert_eq!((&rich["mcp_server"], &rich["qualified_name"]), (&json!("rich"), &json!("rich__rich")));
        for key in ["title", "outputSchema", "icons", "annotations", "_meta", "inputSchema"] {
            assert!(rich.get(key).is_some(), "{key}");
        }
        assert_eq!(of("bare")["description"], "");
        assert_eq!(of("echo")["mcp_server"], "demo");
    }
}

#[tokio::test]
async fn servers_come_and_go() {
    let door = Door::open().await;
    let servers = door.get("/mcp/servers").await.ok();
    let demo = servers["servers"].as_object().unwrap().values().next().unwrap();
    assert_eq!((&demo["name"], &demo["transport"], &demo["state"]), (&json!("demo"), &json!("fake"), &json!("ready")));
    assert_eq!(demo["tool_count"], demo["tools"].as_array().unwrap().len());

    let list = r#"{"mcpServers":{"more":{"url":"http://127.0.0.1:1/mcp?key=hush","transport":"fake","headers":{"X-Secret":"hush"}},"demo":{"url":"http://127.0.0.1:1/","transport":"fake"},"bad":{}}}"#;
    let text = json!({"config_data": list}).to_string();
    let answer = door.post("/mcp/servers/add", &text).await;
    assert!(!answer.body.contains("hush"), "{answer:?}");
    let value = answer.ok();
    let added = &value["added_servers"][0];
    assert_eq!(value["success"], false);
    assert_eq!(
        (&added["name"], &added["transport"], &added["tools_count"]),
        (&json!("more"), &json!("fake"), &json!(1))
    );
    assert_eq!(added["url"], "http://127.0.0.1:1/mcp");
    let uuid = uuid_of(&added["uuid"]);
    let mut failed: Vec<_> =
        value["failed_servers"].as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["bad", "demo"]);
    assert_eq!(value["total_servers"], 2);
    assert!(value.get("session_id").is_none() && value.get("total_servers_in_session").is_none());
    assert!(!door.get("/mcp/servers").await.body.contains("hush"));
    door.post("/mcp/execute", r#"{"tool_name":"extra"}"#).await.ok();

    let value = door.post("/mcp/servers/remove", &json!({"server_uuid": uuid}).to_string()).await.ok();
    assert_eq!(
        (&value["success"], &value["removed_server"], &value["removed_server_uuid"]),
        (&json!(true), &json!("more"), &json!(uuid))
    );
    assert_eq!((&value["removed_tools_count"], &value["total_servers"]), (&json!(1), &json!(1)));
    assert_eq!(value["remaining_servers"].as_object().unwrap().values().collect::<Vec<_>>(), ["demo"]);
    door.post("/mcp/execute", r#"{"tool_name":"extra"}"#).await.problem(404, "not_found");
    // The old spelling.
    let value = door
        .post("/add-server", r#"{"mcpServers":{"more":{"url":"http://127.0.0.1:1/","transport":"fake"}}}"#)
        .await
        .ok();
    assert_eq!((&value["success"], &value["total_servers"]), (&json!(true), &json!(2)));
    door.post("/mcp/servers/remove", r#"{"server_name":"more"}"#).await.ok();
}

#[tokio::test]
async fn sessions_are_worlds_of_their_own() {
    let door = Door::open().await;
    let made = door.post("/sessions/create", r#"{"metadata":{"who":"me","n":1.50},"ttl_seconds":60}"#).await;
    let value = made.ok();
    let id = value["session_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sess_") && id.len() >= 5 + 32, "{id}");
    assert_eq!(made.header("x-session-id"), Some(id.as_str()));
    assert!(made.body.contains(r#""metadata":{"who":"me","n":1.50}"#), "{made:?}");
    assert_eq!((&value["success"], &value["servers_loaded"]), (&json!(true), &json!(1)));
    assert_eq!(value["servers"].as_object().unwrap().values().collect::<Vec<_>>(), ["demo"]);
    for key in ["created_at", "expires_at"] {
        let time = value[key].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    }

    let within = |request: Request| request.with("X-Session-ID", &id);
    let add = r#"{"config_data":{"mcpServers":{"more":{"url":"http://127.0.0.1:1/","transport":"fake"}}}}"#;
    let value = door.ask(&within(Request::post("/mcp/servers/add", add))).await.ok();
    assert_eq!((&value["session_id"], &value["total_servers_in_session"]), (&json!(id), &json!(2)));
    let value = door.ask(&within(Request::post("/mcp/execute", r#"{"tool_name":"extra"}"#))).await.ok();
    assert_eq!(value["session_id"], json!(id));
    door.post("/mcp/execute", r#"{"tool_name":"extra"}"#).await.problem(404, "not_found");
    for path in ["/mcp/tools", "/mcp/servers"] {
        assert_eq!(door.ask(&within(Request::new("GET", path))).await.ok()["session_id"], json!(id));
    }
    assert_eq!(
        door.ask(&within(Request::post("/mcp/search", r#"{"query":"extra"}"#))).await.ok()["session_id"],
        json!(id)
    );

    let value = door.get(&format!("/sessions/{id}")).await.ok();
    assert_eq!((&value["session_id"], &value["active"]), (&json!(id), &json!(true)));
    assert_eq!(value["metadata"], json!({"who": "me", "n": 1.5}));
    let names: Vec<_> =
        value["connections"].as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["demo", "more"]);
    assert!(value["last_accessed"].is_string() && value["total_tools"].is_u64());
    let more = &value["connections"][1];
    assert_eq!(
        (&more["transport"], &more["tools_count"], &more["tools"]),
        (&json!("fake"), &json!(1), &json!(["extra"]))
    );

    let value = door.get("/sessions").await.ok();
    assert_eq!((&value["total"], &value["sessions"][0]["session_id"]), (&json!(1), &json!(id)));
    assert_eq!(value["sessions"][0]["connections_count"], 2);
    assert!(value["sessions"][0]["tools_count"].is_u64());

    let value = door.ask(&within(Request::post("/mcp/servers/remove", r#"{"server_name":"demo"}"#))).await.ok();
    assert_eq!((&value["session_id"], &value["remaining_servers_in_session"]), (&json!(id), &json!(1)));
    door.post("/mcp/execute", r#"{"tool_name":"echo"}"#).await.ok();

    let value = door.ask(&Request::new("DELETE", &format!("/sessions/{id}"))).await.ok();
    assert_eq!(value, json!({"success": true, "deleted_session_id": id}));
    door.ask(&within(Request::new("GET", "/mcp/tools"))).await.problem(404, "not_found");
    door.get(&format!("/sessions/{id}")).await.problem(404, "not_found");
    assert_eq!(door.get("/sessions").await.ok(), json!({"sessions": [], "total": 0}));
}

#[tokio::test]
async fn a_session_needs_no_body() {
    let door = Door::open().await;
    for request in [
        Request::post("/sessions/create", ""),
        Request::post("/sessions/create", "").without("Content-Type"),
        Request::new("POST", "/sessions/create"),
        Request::post("/sessions/create", "{}"),
        Request::post("/sessions/create", " \n"),
    ] {
        assert_eq!(door.ask(&request).await.ok()["metadata"], json!({}));
    }
}

#[tokio::test]
async fn health_and_metrics() {
    let door = Door::open().await;
    let health = door.get("/health").await.ok();
    assert_eq!((&health["status"], &health["connected_servers"]), (&json!("healthy"), &json!(1)));
    assert!(health["total_tools"].as_u64().unwrap() >= 5 && health["timestamp"].is_f64());
    let demo = health["servers"].as_object().unwrap().values().next().unwrap();
    assert_eq!((&demo["name"], &demo["state"]), (&json!("demo"), &json!("ready")));
    // A session that is gone does not hide the gateway's health.
    door.ask(&Request::new("GET", "/health").with("X-Session-ID", "sess_gone")).await.ok();
    assert_eq!(door.get("/livez").await.ok(), json!({"status": "alive"}));
    assert_eq!(door.get("/readyz").await.ok(), json!({"status": "ready"}));
    let metrics = door.get("/metrics").await;
    assert_eq!((metrics.status, metrics.body.as_str()), (200, "gateway_up 1\n"));
    assert_eq!(metrics.header("content-type"), Some("text/x-numbers"));
}

#[tokio::test]
async fn added_servers_have_the_limits_of_the_settings() {
    let mut setup = Setup::default();
    setup.rest.server_limits.request_timeout_ms = 4321;
    let door = Door::with(setup).await;
    let add = r#"{"mcpServers":{"more":{"url":"http://a/","transport":"fake"},
        "own":{"url":"http://a/","transport":"fake","request_timeout_ms":99,"disabled":true}}}"#;
    assert_eq!(door.post("/mcp/servers/add", add).await.ok()["success"], true);
    let servers = door.gateway.servers(&context(&door.gateway, None).await);
    let limit_of = |name: &str| {
        let server = servers.iter().find(|server| server.spec.name() == name).unwrap();
        server.spec.limits().request_timeout_ms
    };
    assert_eq!((limit_of("more"), limit_of("own")), (4321, 99));
}

#[tokio::test]
async fn answers_are_not_kept_or_guessed_at() {
    let door = Door::open().await;
    let answer = door.get("/mcp/tools").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[track_caller]
fn uuid_of(value: &Value) -> String {
    value.as_str().unwrap().parse::<uuid::Uuid>().unwrap().to_string()
}
