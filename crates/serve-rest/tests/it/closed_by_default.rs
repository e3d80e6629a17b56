//! Attacks on a gateway that runs on its user's machine, and what refuses each of them.

use gateway_core::{CommandServers, EngineConfig};
use http_server::HttpServerConfig;
use serve_rest::{Lookup, Metrics, RestConfig, RestDoor};
use tower::ServiceExt as _;

use crate::harness::{Door, Request, Setup};

const SEARCH: &str = r#"{"query":"repeat a message"}"#;
const ADD_COMMAND: &str = r#"{"config_data":{"mcpServers":{"evil":{"command":"/bin/evil"}}}}"#;
const ADD_URL: &str = r#"{"config_data":{"mcpServers":{"more":{"url":"http://127.0.0.1:1/mcp","transport":"fake"}}}}"#;

fn rest(change: impl FnOnce(&mut RestConfig)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.rest);
    setup
}

fn server(change: impl FnOnce(&mut HttpServerConfig)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.server);
    setup
}

fn list(entries: &[&str]) -> Vec<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let door =
        Door::with(server(|server| server.allowed_hosts = list(&["gateway.example", "port.example:8443"]))).await;
    let check = async |host: &str, allowed: bool| {
        let answer = door.ask(&Request::post("/mcp/search", SEARCH).with("Host", host)).await;
        if allowed {
            answer.ok();
        } else {
            let message = answer.problem(403, "forbidden");
            assert!(message.contains("server.allowed_hosts"), "{message}");
        }
    };
    check("localhost", true).await;
    check("LOCALHOST:8000", true).await;
    check("127.0.0.1:1", true).await;
    check("[::1]:8000", true).await;
    check("gateway.example", true).await;
    check("Gateway.Example:99", true).await;
    check("port.example:8443", true).await;
    check("port.example", false).await;
    check("evil.example", false).await;
    check("localhost.evil.example", false).await;
    check("evil.example:8000", false).await;
    check("10.1.2.3", false).await;
}

#[tokio::test]
async fn a_host_that_can_be_read_two_ways_is_refused() {
    let door = Door::open().await;
    let base = Request::new("GET", "/mcp/tools");
    let ask = async |request: Request| door.ask(&request).await;
    ask(base.clone().without("Host")).await.problem(400, "invalid_request");
    ask(base.clone().and("Host", "evil.example")).await.problem(400, "invalid_request");
    ask(base.clone().with("Host", "evil.example@localhost")).await.problem(400, "invalid_request");
    ask(base.clone().with("Host", "localhost/x")).await.problem(400, "invalid_request");
    // A target in absolute form does not overrule the header, nor the other way about.
    ask(Request::new("GET", "http://evil.example/mcp/tools")).await.problem(403, "forbidden");
    ask(Request::new("GET", "http://localhost/mcp/tools").with("Host", "evil.example")).await.problem(403, "forbidden");
    ask(Request::new("GET", "http://localhost/mcp/tools")).await.ok();
    ask(base.without("Host").version("HTTP/1.0")).await.problem(400, "invalid_request");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let check = async |allowed: &[&str], origin: &str, expected: bool| {
        let door = Door::with(server(|server| server.allowed_origins = list(allowed))).await;
        for request in
            [Request::post("/mcp/search", SEARCH), Request::new("GET", "/mcp/tools"), Request::new("GET", "/health")]
        {
            let answer = door.ask(&request.with("Origin", origin)).await;
            assert_eq!(answer.header("vary"), Some("Origin"));
            if expected {
                answer.ok();
                assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            } else {
                let message = answer.problem(403, "forbidden");
                assert!(message.contains("server.allowed_origins"), "{message}");
                assert_eq!(answer.header("access-control-allow-origin"), None);
            }
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    };
    check(&[], "http://localhost:3000", true).await;
    check(&[], "http://127.0.0.1", true).await;
    check(&[], "https://evil.example", false).await;
    check(&[], "http://localhost.evil.example", false).await;
    check(&[], "null", false).await;
    check(&[], "file://", false).await;
    check(&["https://app.example"], "https://app.example", true).await;
    check(&["https://app.example"], "https://app.example:444", false).await;
    check(&["https://app.example"], "http://localhost:3000", false).await;
    check(&["https://app.example", "loopback"], "http://localhost:3000", true).await;
    check(&["*"], "https://evil.example", true).await;
    check(&["*"], "null", false).await;
}

#[tokio::test]
async fn pre_flights_are_answered_for_allowed_origins_only() {
    let door = Door::open().await;
    for path in ["/mcp/execute", "/mcp/search", "/sessions/create", "/mcp/servers/add", "/health", "/sessions/x"] {
        let ask = |origin: &str| {
            Request::new("OPTIONS", path)
                .with("Origin", origin)
                .with("Access-Control-Request-Method", "POST")
                .with("Access-Control-Request-Headers", "content-type,x-session-id")
                .with("Access-Control-Request-Private-Network", "true")
        };
        let answer = door.ask(&ask("http://localhost:5173")).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:5173"));
        assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
        assert_eq!(answer.header("vary"), Some("Origin"));
        let headers = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in ["x-session-id", "x-request-id", "authorization", "x-api-key", "content-type", "accept", "prefer"] {
            assert!(headers.contains(name), "{name}");
        }
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("POST") && methods.contains("DELETE"));

        let answer = door.ask(&ask("https://evil.example")).await;
        answer.problem(403, "forbidden");
        for name in
            ["access-control-allow-origin", "access-control-allow-private-network", "access-control-allow-methods"]
        {
            assert_eq!(answer.header(name), None);
        }
    }
}

#[tokio::test]
async fn forms_and_plain_text_are_refused() {
    let door = Door::open().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
    ] {
        for path in
            ["/mcp/execute", "/mcp/search", "/mcp/servers/add", "/mcp/servers/remove", "/sessions/create", "/tool"]
        {
            let request = Request::post(path, r#"{"tool_name":"echo"}"#).with("Content-Type", kind);
            door.ask(&request).await.problem(415, "unsupported_media_type");
            let request = request.with("Origin", "http://localhost:3000");
            let answer = door.ask(&request).await;
            assert!(matches!(answer.status, 403 | 415), "{path}: {answer:?}");
        }
    }
    let request = Request::post("/mcp/search", SEARCH);
    door.ask(&request.clone().with("Content-Type", "application/json; charset=utf-8")).await.ok();
    door.ask(&request.clone().with("Content-Type", "application/vnd.x+json")).await.ok();
    // A program may leave the type out; a page, which could do so too, may not.
    door.ask(&request.clone().without("Content-Type")).await.ok();
    let untyped = request.clone().without("Content-Type");
    door.ask(&untyped.clone().with("Origin", "http://localhost:3000")).await.problem(415, "unsupported_media_type");
    door.ask(&untyped.with("Sec-Fetch-Site", "cross-site")).await.problem(415, "unsupported_media_type");
    door.ask(&request.and("Content-Type", "text/plain")).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn pages_never_change_servers_unless_listed_for_it() {
    let door = Door::with(server(|server| server.admin_origins = list(&["https://admin.example"]))).await;
    let remove = r#"{"server_name":"demo"}"#;
    for (path, body) in [("/mcp/servers/add", ADD_URL), ("/add-server", ADD_URL), ("/mcp/servers/remove", remove)] {
        let request = Request::post(path, body);
        let message =
            door.ask(&request.clone().with("Origin", "http://localhost:3000")).await.problem(403, "forbidden");
        assert!(message.contains("server.admin_origins"), "{message}");
        door.ask(&request.clone().with("Sec-Fetch-Site", "same-origin")).await.problem(403, "forbidden");
    }
    let admin = |path, body| Request::post(path, body).with("Origin", "https://admin.example");
    let answer = door.ask(&admin("/mcp/servers/add", ADD_URL)).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://admin.example"));
    assert_eq!(answer.ok()["added_servers"][0]["name"], "more");
    // Not even a listed page is a local program.
    let answer = door.ask(&admin("/mcp/servers/add", ADD_COMMAND)).await.ok();
    assert_eq!((&answer["success"], &answer["failed_servers"][0]["name"]), (&false.into(), &"evil".into()));
    door.ask(&admin("/mcp/servers/remove", r#"{"server_name":"more"}"#)).await.ok();
}

#[tokio::test]
async fn only_a_program_on_this_machine_starts_programs_without_a_key() {
    let door = Door::with(server(|server| server.allowed_hosts = list(&["gateway.example"]))).await;
    let request = Request::post("/mcp/servers/add", ADD_COMMAND);
    let strangers = [
        request.clone().with("Forwarded", "for=203.0.113.1"),
        request.clone().with("X-Forwarded-For", "127.0.0.1"),
        request.clone().with("X-Forwarded-Proto", "https"),
        request.clone().with("X-Forwarded", "1"),
        request.clone().with("Via", "1.1 proxy"),
        request.clone().with("X-Real-IP", "127.0.0.1"),
        // A proxy that keeps the name, and nginx as it comes.
        request.clone().with("Host", "gateway.example"),
        request.clone().version("HTTP/1.0"),
    ];
    for stranger in strangers {
        let answer = door.ask(&stranger).await.ok();
        assert_eq!(answer["added_servers"].as_array().unwrap().len(), 0, "{}", stranger.text());
        assert_eq!(answer["failed_servers"][0]["name"], "evil");
        let error = answer["failed_servers"][0]["error"].as_str().unwrap();
        assert!(error.contains("key"), "{error}");
    }
    let answer = door.ask(&request).await.ok();
    assert_eq!((&answer["success"], &answer["added_servers"][0]["command"]), (&true.into(), &"/bin/evil".into()));
}

#[tokio::test]
async fn command_servers_can_be_switched_off() {
    for (rule, key, expected) in [
        (CommandServers::Authenticated, None, false),
        (CommandServers::Authenticated, Some("k3y"), true),
        (CommandServers::Never, Some("k3y"), false),
        (CommandServers::Never, None, false),
    ] {
        let setup = Setup {
            key,
            engine: EngineConfig { command_servers: rule, ..EngineConfig::default() },
            ..Setup::default()
        };
        let door = Door::with(setup).await;
        let request = Request::post("/mcp/servers/add", ADD_COMMAND).with("X-API-Key", "k3y");
        assert_eq!(door.ask(&request).await.ok()["success"], expected, "{rule:?} {key:?}");
    }
}

#[tokio::test]
async fn strangers_cannot_read_the_environment() {
    let add = r#"{"config_data":{"mcpServers":{"more":{"url":"http://127.0.0.1:1/${TOKEN}","transport":"fake"},"demo2":{"url":"http://127.0.0.1:1/","transport":"fake","disabled":true}}}}"#;
    let lookup = Lookup::new(|name| (name == "TOKEN").then(|| "hush".to_owned()));
    let door = Door::with(rest(|rest| rest.variables = lookup.clone())).await;
    let request = Request::post("/mcp/servers/add", add);
    let answer = door.ask(&request.clone().with("Via", "1.1 proxy")).await;
    let body = answer.ok();
    assert_eq!(body["failed_servers"][0]["name"], "more");
    assert_eq!(body["added_servers"][0]["name"], "demo2");
    assert!(!answer.body.contains("hush"));
    let mut forbidden = rest(|rest| rest.variables = lookup);
    forbidden.engine.command_servers = CommandServers::Never;
    let never = Door::with(forbidden).await;
    assert_eq!(never.ask(&request).await.ok()["failed_servers"][0]["name"], "more");
    // Whoever may start programs reads it anyway.
    let add = add.replace("demo2", "demo3");
    let body = door.ask(&Request::post("/mcp/servers/add", &add)).await.ok();
    assert_eq!(body["added_servers"][0]["url"], "http://127.0.0.1:1/hush");
}

#[tokio::test]
async fn the_key_counts_in_its_places_only() {
    let door = Door::with(Setup { key: Some("k3y"), ..Setup::default() }).await;
    let base = Request::new("GET", "/mcp/tools");
    for good in [
        base.clone().with("Authorization", "Bearer k3y"),
        base.clone().with("authorization", "bearer  k3y"),
        base.clone().with("X-API-Key", "k3y"),
        base.clone().with("X-API-Key", "k3y").with("Authorization", "Bearer k3y"),
        base.clone().with("X-API-Key", "k3y").with("Authorization", "Basic eDp5"),
    ] {
        door.ask(&good).await.ok();
    }
    for bad in [
        base.clone(),
        base.clone().with("Authorization", "Bearer k3"),
        base.clone().with("Authorization", "Bearer "),
        base.clone().with("Authorization", "k3y"),
        base.clone().with("Authorization", "Basic k3y"),
        base.clone().with("X-API-Key", "K3y"),
        base.clone().with("X-API-Key", ""),
        base.clone().with("Cookie", "X-API-Key=k3y"),
        base.clone().with("X-Key", "k3y"),
        Request::new("GET", "/mcp/tools?api_key=k3y&X-API-Key=k3y"),
    ] {
        let answer = door.ask(&bad).await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"), "{answer:?}");
        assert!(!answer.body.contains("k3y"), "{answer:?}");
    }
    let answer = door.ask(&base.clone().with("X-API-Key", "k3y").and("X-API-Key", "k3y")).await;
    answer.problem(400, "invalid_request");
    let answer = door.ask(&base.with("X-API-Key", "k3y").with("Authorization", "Bearer other")).await;
    answer.problem(400, "invalid_request");
}

#[tokio::test]
async fn without_the_key_nothing_is_told() {
    let door = Door::with(Setup { key: Some("k3y"), ..Setup::default() }).await;
    for request in [
        Request::post("/mcp/search", SEARCH),
        Request::post("/mcp/execute", r#"{"tool_name":"echo"}"#),
        Request::post("/tool", r#"{"name":"echo"}"#),
        Request::post("/mcp/servers/add", ADD_URL),
        Request::post("/mcp/servers/remove", r#"{"server_name":"demo"}"#),
        Request::post("/sessions/create", ""),
        Request::new("GET", "/mcp/tools"),
        Request::new("GET", "/tools"),
        Request::new("GET", "/mcp/servers"),
        Request::new("GET", "/sessions"),
        Request::new("GET", "/sessions/sess_1"),
        Request::new("DELETE", "/sessions/sess_1"),
        Request::new("GET", "/metrics"),
        Request::new("GET", "/usage"),
    ] {
        door.ask(&request).await.problem(401, "unauthenticated");
    }
    assert_eq!(door.demo.calls(), 0);
    for path in ["/livez", "/readyz", "/openapi.json"] {
        door.get(path).await.ok();
    }
    let health = door.get("/health").await.ok();
    let keys: Vec<_> = health.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["status", "timestamp"]);
    let health = door.ask(&Request::new("GET", "/health").with("X-API-Key", "k3y")).await.ok();
    assert_eq!(health["connected_servers"], 1);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let door = Door::with(rest(|rest| rest.body.bytes = 100_000)).await;
    let body = |length: usize| format!(r#"{{"tool_name":"echo","args":{{"x":"{}"}}}}"#, "x".repeat(length));
    door.post("/mcp/execute", &body(90_000)).await.ok();
    door.post("/mcp/execute", &body(100_001)).await.problem(413, "too_large");
    // Many times as long: the answer must survive the bytes that nobody reads.
    door.post("/mcp/execute", &body(5_000_000)).await.problem(413, "too_large");
    door.post("/mcp/search", &format!(r#"{{"query":"{}"}}"#, "x".repeat(70_000))).await.problem(413, "too_large");

    // Said to be long, and never sent.
    let mut connection = door.connect().await;
    let head =
        "POST /mcp/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    connection.send(&format!("{head}Content-Length: 1000000000\r\n\r\n")).await;
    connection.answer(false).await.problem(413, "too_large");

    // Of unknown length.
    let mut connection = door.connect().await;
    connection.send("POST /mcp/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, "x".repeat(50_000));
    for _ in 0..3 {
        connection.send(&chunk).await;
    }
    connection.answer(false).await.problem(413, "too_large");
    assert_eq!(door.demo.calls(), 1);
}

#[tokio::test]
async fn strangers_cannot_make_the_gateway_read_long_bodies() {
    let door = Door::with(Setup { key: Some("k3y"), ..Setup::default() }).await;
    let mut connection = door.connect().await;
    let head = "POST /mcp/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    connection.send(&format!("{head}Content-Length: 10000000\r\n\r\n{{")).await;
    connection.answer(false).await.problem(401, "unauthenticated");
    let mut connection = door.connect().await;
    connection.send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n")).await;
    connection.answer(false).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let door = Door::with(rest(|rest| rest.body.timeout_ms = 100)).await;
    let mut connection = door.connect().await;
    connection.send("POST /mcp/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"tool").await;
    connection.answer(false).await.problem(408, "deadline_exceeded");
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let door = Door::open().await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let call = |depth| format!(r#"{{"tool_name":"echo","args":{{"x":{}}}}}"#, nested(depth));
    door.post("/mcp/execute", &call(126)).await.ok();
    let message = door.post("/mcp/execute", &call(127)).await.problem(400, "invalid_request");
    assert!(message.contains("128"), "{message}");
    door.post("/mcp/execute", &call(500_000)).await.problem(400, "invalid_request");
    let beside = format!(r#"{{"tool_name":"echo","unknown":{}}}"#, nested(500_000));
    door.post("/mcp/execute", &beside).await.problem(400, "invalid_request");
    let metadata = format!(r#"{{"metadata":{{"x":{}}}}}"#, nested(200));
    door.post("/sessions/create", &metadata).await.problem(400, "invalid_request");
    let config = format!(r#"{{"config_data":{}}}"#, nested(200));
    door.post("/mcp/servers/add", &config).await.problem(400, "invalid_request");
    // The same inside JSON text.
    let config = format!(r#"{{"config_data":"{}"}}"#, nested(100_000));
    door.post("/mcp/servers/add", &config).await.problem(400, "invalid_request");
    let config = format!(r#"{{"config_data":"{{\"mcpServers\":{{\"a\":{}}}}}"}}"#, nested(100_000));
    assert_eq!(door.post("/mcp/servers/add", &config).await.ok()["failed_servers"][0]["name"], "a");
    assert_eq!(door.demo.calls(), 1);
}

#[tokio::test]
async fn long_and_many_headers_are_refused() {
    let door = Door::open().await;
    let base = Request::new("GET", "/mcp/tools");
    door.ask(&base.clone().with("X-Long", &"x".repeat(30_000))).await.ok();
    door.ask(&base.clone().with("X-Long", &"x".repeat(33_000))).await.problem(431, "headers_too_large");
    door.ask(&Request::new("GET", &format!("/mcp/tools?{}", "x".repeat(33_000))))
        .await
        .problem(431, "headers_too_large");
    let many = (0..110).fold(base.clone(), |request, at| request.and(&format!("X-{at}"), "1"));
    door.ask(&many).await.problem(431, "headers_too_large");
    // What is far over the limit, hyper refuses before the door sees it.
    let answer = door.ask(&base.clone().with("X-Long", &"x".repeat(300_000))).await;
    assert_eq!(answer.status, 431);
    let answer = door.ask(&(0..1000).fold(base, |request, at| request.and(&format!("X-{at}"), "1"))).await;
    assert_eq!(answer.status, 431);
    door.get("/mcp/tools").await.ok();
}

#[tokio::test]
async fn headers_that_do_not_come_are_not_waited_for() {
    let door = Door::with(server(|server| server.keep_alive_ms = 100)).await;
    let mut connection = door.connect().await;
    connection.send("GET /mcp/tools HTTP/1.1\r\nHost: local").await;
    assert!(connection.try_answer(false).await.is_none_or(|answer| answer.status == 408));
    let mut connection = door.connect().await;
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn the_router_has_the_guard_and_knows_no_local_caller() {
    let door = Door::open().await;
    let metrics = Metrics::new("text/x-numbers", String::new);
    let rest = RestDoor::new(door.gateway.clone(), RestConfig::default(), metrics);
    let router = rest.into_router(HttpServerConfig::default());
    let ask = async |method: &str, path: &str, host: &str, body: &'static str| {
        let request = http::Request::builder().method(method).uri(path).header("Host", host);
        let response = router.clone().oneshot(request.body(axum::body::Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        assert!(parts.headers.contains_key("x-request-id"));
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let (status, answer) = ask("POST", "/mcp/execute", "localhost", r#"{"tool_name":"echo"}"#).await;
    assert_eq!((status, &answer["status"]), (200, &"completed".into()));
    let (status, answer) = ask("POST", "/mcp/execute", "evil.example", r#"{"tool_name":"echo"}"#).await;
    assert_eq!((status, &answer["kind"]), (403, &"forbidden".into()));
    let (status, answer) = ask("GET", "/mcp/execute", "localhost", "").await;
    assert_eq!((status, &answer["kind"]), (405, &"method_not_allowed".into()));
    let (status, answer) = ask("POST", "/mcp/servers/add", "localhost", ADD_COMMAND).await;
    assert_eq!((status, &answer["failed_servers"][0]["name"]), (200, &"evil".into()));
    assert_eq!(door.demo.calls(), 1);
}

#[tokio::test]
async fn request_ids_are_harmless() {
    let door = Door::open().await;
    let ask = async |id: &str| {
        let answer = door.ask(&Request::post("/mcp/search", SEARCH).with("X-Request-ID", id)).await;
        let echoed = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(answer.ok()["request_id"], echoed.as_str());
        echoed
    };
    for good in ["a", "trace-1:2/3.4_5~6+7=8@9", &"x".repeat(128)] {
        assert_eq!(ask(good).await, good);
    }
    for bad in ["", " ", "a b", "a\"b", "<script>", "a\\n", "é", &"x".repeat(129)] {
        let given = ask(bad).await;
        assert_eq!(given.len(), 36, "{bad:?} became {given:?}");
        assert_eq!(given.as_bytes()[14], b'7', "{given}");
    }
    assert_ne!(ask("").await, ask("").await);
    let answer = door.ask(&Request::new("GET", "/nowhere").with("X-Request-ID", "mine")).await;
    answer.problem(404, "not_found");
    assert_eq!(answer.json()["request_id"], "mine");
}

#[tokio::test]
async fn a_session_id_that_cannot_be_one_is_no_session() {
    let door = Door::open().await;
    for bad in ["", " ", "../x", "a b", "sess_1/x", &"x".repeat(129), "sess_0000"] {
        door.ask(&Request::new("GET", "/mcp/tools").with("X-Session-ID", bad)).await.problem(404, "not_found");
    }
    let repeated = Request::new("GET", "/mcp/tools").and("X-Session-ID", "a").and("X-Session-ID", "b");
    door.ask(&repeated).await.problem(400, "invalid_request");
}
