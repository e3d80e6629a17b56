//! Each status of the contract, and that none of them comes without its body.

use gateway_core::{EngineConfig, ErrorKind};
use gateway_testkit::fakes::{Answer as Tool, FakeServer};

use crate::harness::{Door, Request, Setup};

#[tokio::test]
async fn each_failure_of_a_call_has_its_status() {
    let kinds = [
        ("invalid", ErrorKind::InvalidRequest, 400, "invalid_request"),
        ("forbidden", ErrorKind::Forbidden, 403, "forbidden"),
        ("missing", ErrorKind::NotFound, 404, "not_found"),
        ("conflict", ErrorKind::Conflict, 409, "conflict"),
        ("large", ErrorKind::TooLarge, 413, "too_large"),
        ("arguments", ErrorKind::InvalidArguments, 422, "invalid_arguments"),
        ("limited", ErrorKind::RateLimited, 429, "rate_limited"),
        ("cancelled", ErrorKind::Cancelled, 499, "cancelled"),
        ("late", ErrorKind::DeadlineExceeded, 408, "deadline_exceeded"),
        ("upstream", ErrorKind::UpstreamFailed, 502, "upstream_failed"),
        ("down", ErrorKind::Unavailable, 503, "unavailable"),
        ("slow", ErrorKind::UpstreamTimeout, 504, "upstream_timeout"),
        ("broken", ErrorKind::Internal, 500, "internal"),
    ];
    let faulty = kinds.iter().fold(FakeServer::new(), |server, (name, kind, ..)| {
        server.with_tool(name, "Fails", Tool::error(*kind, "do it"))
    });
    let door = Door::with(Setup { servers: vec![("faulty", faulty)], ..Setup::default() }).await;
    for (name, _, status, kind) in kinds {
        let answer = door.post("/mcp/execute", &format!(r#"{{"tool_name":"faulty__{name}"}}"#)).await;
        answer.problem(status, kind);
        let has_retry_after = answer.header("retry-after").is_some();
        assert_eq!(has_retry_after, matches!(status, 429 | 503), "{answer:?}");
    }
}

#[tokio::test]
async fn what_the_door_itself_refuses() {
    let door = Door::open().await;
    let check = async |path: &str, body: &str, status: u16, kind: &str| {
        door.post(path, body).await.problem(status, kind);
    };
    check("/mcp/search", "{}", 400, "invalid_request").await;
    check("/mcp/search", r#"{"query":""}"#, 400, "invalid_request").await;
    check("/mcp/search", r#"{"query":"x","limit":0}"#, 400, "invalid_request").await;
    check("/mcp/search", r#"{"query":"x","limit":51}"#, 400, "invalid_request").await;
    check("/mcp/search", r#"{"query":"x","min_score":2}"#, 400, "invalid_request").await;
    check("/mcp/search", r#"{"query":"x","servers":["nobody"]}"#, 404, "not_found").await;
    check("/mcp/search", "", 400, "invalid_request").await;
    check("/mcp/search", "{", 400, "invalid_request").await;
    check("/mcp/search", "{\"query\":\"\u{0}\"}", 400, "invalid_request").await;
    check("/mcp/execute", "{}", 400, "invalid_request").await;
    check("/mcp/execute", r#"{"tool_name":"echo","args":[1]}"#, 422, "invalid_arguments").await;
    check("/mcp/execute", r#"{"tool_name":"echo","timeout_ms":0}"#, 400, "invalid_request").await;
    check("/mcp/execute", r#"{"tool_name":"echo","timeout_ms":99999999999}"#, 400, "invalid_request").await;
    check("/mcp/execute", r#"{"tool_name":"nobody"}"#, 404, "not_found").await;
    check("/mcp/execute", r#"{"tool_name":"echo","server":"nobody"}"#, 404, "not_found").await;
    check("/mcp/execute", r#"{"tool_name":"hang","timeout_ms":50}"#, 408, "deadline_exceeded").await;
    check("/mcp/servers/add", "{}", 400, "invalid_request").await;
    check("/mcp/servers/add", r#"{"config_data":"no JSON"}"#, 400, "invalid_request").await;
    check("/mcp/servers/add", r#"{"config_data":{"servers":1}}"#, 400, "invalid_request").await;
    check("/mcp/servers/remove", "{}", 400, "invalid_request").await;
    check("/mcp/servers/remove", r#"{"server_uuid":"x"}"#, 400, "invalid_request").await;
    check("/mcp/servers/remove", r#"{"server_name":"nobody"}"#, 404, "not_found").await;
    check("/sessions/create", r#"{"metadata":1}"#, 400, "invalid_request").await;
    check("/sessions/create", r#"{"ttl_seconds":0}"#, 400, "invalid_request").await;
    door.get("/sessions/sess_unknown").await.problem(404, "not_found");
    door.get("/sessions/%ff").await.problem(404, "not_found");
    door.ask(&Request::new("DELETE", "/sessions/sess_unknown")).await.problem(404, "not_found");
    // Those of later.
    door.get("/mcp/requests/1").await.problem(404, "not_found");
}

#[tokio::test]
async fn an_ambiguous_name_lists_the_candidates() {
    let second = FakeServer::new().with_tool("echo", "Repeats, too", Tool::echo());
    let door = Door::with(Setup { servers: vec![("second", second)], ..Setup::default() }).await;
    let answer = door.post("/mcp/execute", r#"{"tool_name":"echo"}"#).await;
    answer.problem(409, "conflict");
    let details = answer.json()["details"].to_string();
    assert!(details.contains("demo__echo") && details.contains("second__echo"), "{details}");
    door.post("/mcp/execute", r#"{"tool_name":"echo","server":"second"}"#).await.ok();
    door.post("/mcp/execute", r#"{"tool_name":"second__echo"}"#).await.ok();
}

#[tokio::test]
async fn too_many_sessions_are_refused_for_now() {
    let engine = EngineConfig { max_sessions: 1, ..EngineConfig::default() };
    let door = Door::with(Setup { engine, ..Setup::default() }).await;
    door.post("/sessions/create", "").await.ok();
    let answer = door.post("/sessions/create", "").await;
    assert!(matches!(answer.status, 429 | 503), "{answer:?}");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist() {
    let door = Door::open().await;
    for path in
        ["/", "/nowhere", "/mcp", "/mcp/tools/", "/mcp//tools", "/MCP/tools", "/mcp/servers/%61dd", "/sessions/a/b"]
    {
        door.get(path).await.problem(404, "not_found");
    }
    for (method, path, allow) in [
        ("GET", "/mcp/execute", "POST"),
        ("PUT", "/mcp/search", "POST"),
        ("DELETE", "/mcp/tools", "GET,HEAD"),
        ("POST", "/mcp/tools", "GET,HEAD"),
        ("PATCH", "/sessions/sess_1", "DELETE,GET,HEAD"),
        ("OPTIONS", "/mcp/search", "POST"),
        ("TRACE", "/health", "GET,HEAD"),
    ] {
        let answer = door.ask(&Request::new(method, path)).await;
        let message = answer.problem(405, "method_not_allowed");
        let mut found: Vec<_> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
        found.sort_unstable();
        assert_eq!(found.join(","), allow, "{answer:?}");
        assert!(message.contains("Allow"), "{message}");
    }
    let answer = door.ask(&Request::new("HEAD", "/mcp/execute")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let door = Door::open().await;
    for path in ["/mcp/tools", "/health", "/livez", "/openapi.json", "/nowhere"] {
        let mut connection = door.connect().await;
        for method in ["HEAD", "HEAD", "GET"] {
            connection.send(&Request::new(method, path).text()).await;
            let answer = connection.answer(method == "HEAD").await;
            assert_eq!(answer.status, if path == "/nowhere" { 404 } else { 200 });
            assert!(answer.header("content-length").unwrap().parse::<usize>().unwrap() > 0);
            assert_eq!(answer.body.is_empty(), method == "HEAD");
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let door = Door::open().await;
    for text in ["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET /\r\n Host: x\r\n\r\n"] {
        let mut connection = door.connect().await;
        connection.send(text).await;
        if let Some(answer) = connection.try_answer(false).await {
            assert_eq!(answer.status, 400, "{text:?}");
        }
    }
    // Two lengths, or a length beside chunks, are how requests are smuggled past proxies.
    let mut connection = door.connect().await;
    connection.send("POST /mcp/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ").await;
    assert!(connection.try_answer(false).await.is_none_or(|answer| answer.status == 400));
    door.get("/livez").await.ok();
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let door = Door::open().await;
    let mut connection = door.connect().await;
    let mut text = String::new();
    for at in 0..20 {
        let tool = if at % 5 == 0 { "slow" } else { "echo" };
        let body = format!(r#"{{"tool_name":"{tool}","args":{{"at":{at}}}}}"#);
        text += &Request::post("/mcp/execute", &body).with("X-Request-ID", &format!("r{at}")).text();
    }
    connection.send(&text).await;
    for at in 0..20 {
        let answer = connection.answer(false).await.ok();
        assert_eq!(answer["request_id"], format!("r{at}"));
        assert_eq!(answer["result"]["content"], format!(r#"{{"at":{at}}}"#));
    }
}
