//! Who is whose parent, and what spans say.

use serde_json::{Value, json};

use crate::collector::{Collector, Seen};
use crate::rig::{Rig, SERVERS, telemetry, variables};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";

async fn rig() -> (Collector, Rig) {
    let collector = Collector::start().await;
    let rig = Rig::start(telemetry(&variables(&collector))).await;
    (collector, rig)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_leads_from_the_caller_through_the_gateway_to_the_server() {
    let (collector, rig) = rig().await;
    let mut told = Vec::new();
    for server in SERVERS {
        let headers = [("traceparent", PARENT), ("tracestate", "vendor=a,other=b")];
        let params = rig.execute(&format!("{server}__params"), &headers).await;
        assert_eq!(params["_meta"]["tracestate"], "vendor=a,other=b", "{server}: {params}");
        told.push((server, params["_meta"]["traceparent"].as_str().expect("is told").to_owned()));
    }
    rig.close().await;
    let spans = collector.spans();
    for (server, told) in told {
        let of_server = |span: &&_| Seen::says(span, "gateway.server.name").as_deref() == Some(server);
        let call = spans.iter().find(of_server).unwrap_or_else(|| panic!("no span of {server} in {spans:#?}"));
        assert_eq!((call.name.as_str(), call.kind, call.is_error), ("tools/call params", 3, false), "{server}");
        assert_eq!((call.place(), call.trace.as_str()), (told, TRACE), "{server}");
        assert_eq!(call.state, "vendor=a,other=b");
        let door = spans.iter().find(|span| span.id == call.parent).expect("the call's parent is there");
        assert_eq!((door.name.as_str(), door.kind), ("POST /mcp/execute", 2));
        assert_eq!((door.trace.as_str(), door.parent.as_str()), (TRACE, "b7ad6b7169203331"));
        let transport = if server == "stdio" { "pipe" } else { "tcp" };
        let version = if server == "modern" { "2026-07-28" } else { "2025" };
        for (span, key, expected) in [
            (call, "mcp.method.name", "tools/call"),
            (call, "gen_ai.tool.name", "params"),
            (call, "gen_ai.operation.name", "execute_tool"),
            (call, "network.transport", transport),
            (door, "http.route", "/mcp/execute"),
            (door, "http.request.method", "POST"),
            (door, "http.response.status_code", "200"),
            (door, "gateway.door", "rest"),
        ] {
            assert_eq!(span.says(key).as_deref(), Some(expected), "{server}: {key}");
        }
        let said = call.says("mcp.protocol.version").expect("is connected");
        assert!(said.starts_with(version) || server == "sse", "{server}: {said}");
        assert_eq!(call.says("gateway.request.id"), door.says("gateway.request.id"));
    }
    assert!(!collector.has_heard("rosebud"), "arguments stand in no span");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_over_http_are_told_in_headers_too() {
    let (collector, rig) = rig().await;
    let mut told = Vec::new();
    for server in ["legacy", "modern", "sse"] {
        let headers = rig.execute(&format!("{server}__headers"), &[("traceparent", PARENT)]).await;
        assert_eq!(headers["tracestate"], Value::Null);
        told.push(headers["traceparent"].as_str().unwrap_or_else(|| panic!("{server}: {headers}")).to_owned());
    }
    rig.close().await;
    let spans = collector.spans();
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "tools/call headers").map(Seen::place).collect();
    assert_eq!(calls.len(), 3);
    assert!(told.iter().all(|told| calls.contains(told)), "{told:?} {calls:?}");
}

/// A modern request for the params of a call.
fn modern(trace: &str) -> (Vec<(&'static str, &'static str)>, Value) {
    let headers = vec![
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "stdio__params"),
    ];
    let meta = json!({"traceparent": trace, "tracestate": "mine=1", "example.com/x": 1,
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": "stdio__params", "arguments": {}, "_meta": meta});
    (headers, json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))
}

fn params_in(answer: &Value) -> Value {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(text).expect("is JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_mcp_request_says_itself_counts_before_its_headers() {
    let (collector, rig) = rig().await;
    let (mut headers, body) = modern(PARENT);
    headers.extend([("traceparent", OTHER), ("tracestate", "header=1")]);
    let (_, answer) = rig.post("/mcp", &headers, &body).await;
    let params = params_in(&answer);
    assert_eq!(params["_meta"]["tracestate"], "mine=1");
    assert_eq!(params["_meta"]["example.com/x"], 1, "the rest of `_meta` stays");
    let told = params["_meta"]["traceparent"].clone();
    rig.close().await;
    let (door, call) = (collector.span("tools/call"), collector.span("tools/call params"));
    assert_eq!((door.trace.as_str(), door.parent.as_str(), door.kind), (TRACE, "b7ad6b7169203331", 2));
    assert_eq!(door.says("gen_ai.tool.name").as_deref(), Some("stdio__params"));
    assert_eq!(door.says("gateway.door").as_deref(), Some("mcp"));
    assert_eq!((&call.parent, told), (&door.id, json!(call.place())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_request_says_it_alike_or_its_headers_do() {
    let (collector, rig) = rig().await;
    let accept = ("accept", "application/json, text/event-stream");
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello});
    let (head, answer) = rig.post("/mcp", &[accept], &hello).await;
    let session = head.get("mcp-session-id").unwrap_or_else(|| panic!("{answer}")).to_str().expect("ASCII").to_owned();
    let headers = [accept, ("mcp-session-id", session.as_str()), ("traceparent", OTHER)];
    let call = |id: u32, meta: &Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "legacy__params", "arguments": {}, "_meta": meta}})
    };
    let (_, own) = rig.post("/mcp", &headers, &call(1, &json!({"traceparent": PARENT}))).await;
    let (_, broken) = rig.post("/mcp", &headers, &call(2, &json!({"traceparent": "broken"}))).await;
    let (own, broken) = (params_in(&own), params_in(&broken));
    rig.close().await;
    let place = |params: &Value| params["_meta"]["traceparent"].as_str().expect("is told").to_owned();
    let spans = collector.spans();
    for (told, parent) in [(place(&own), PARENT), (place(&broken), OTHER)] {
        let call = spans.iter().find(|span| span.place() == told).expect("the call has a span");
        let door = spans.iter().find(|span| span.id == call.parent).expect("and a parent");
        assert_eq!(parent, format!("00-{}-{}-01", door.trace, door.parent));
    }
    // The session's id is as good as a key.
    assert!(!collector.has_heard(&session));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_and_failures_have_spans_that_say_how_they_ended() {
    let (collector, rig) = rig().await;
    let (_, found) = rig.post("/mcp/search", &[], &json!({"query": "echo rosebud", "limit": 3})).await;
    assert_eq!(found["status"], "completed", "{found}");
    let execute = async |tool: &str, args: Value| {
        rig.post("/mcp/execute", &[], &json!({"tool_name": tool, "args": args})).await.1
    };
    execute("stdio__fail", json!({"text": "rosebud"})).await;
    execute("legacy__rpc_error", json!({"code": -32042, "message": "rosebud"})).await;
    execute("nobody__has_it", json!({})).await;
    let given_up = json!({"tool_name": "stdio__hang", "args": {}, "timeout_ms": 200});
    rig.post("/mcp/execute", &[], &given_up).await;
    for path in ["/health", "/livez"] {
        rig.post(path, &[], &json!({})).await;
    }
    rig.close().await;

    let (door, search) = (collector.span("POST /mcp/search"), collector.span("search"));
    assert_eq!((&search.parent, &search.trace, search.kind), (&door.id, &door.trace, 1));
    assert_eq!(door.parent, "", "a new trace");
    assert_eq!(search.says("gateway.search.limit").as_deref(), Some("3"));
    assert!(search.says("gateway.search.matches").is_some() && search.says("gateway.search.router").is_some());
    let check = |name: &str, error: Option<&str>| {
        let span = collector.span(name);
        assert_eq!((span.says("error.type").as_deref(), span.is_error), (error, error.is_some()), "{name}");
    };
    check("search", None);
    check("tools/call fail", Some("tool_error"));
    check("tools/call rpc_error", Some("-32042"));
    check("tools/call hang", Some("cancelled"));
    let statuses: Vec<_> = collector
        .spans()
        .iter()
        .filter_map(|span| {
            let status = span.says("http.response.status_code")?;
            Some((status, span.is_error, span.name.clone()))
        })
        .collect();
    let of = |status: &str| statuses.iter().find(|(one, ..)| one == status).unwrap_or_else(|| panic!("{statuses:?}"));
    assert!(!of("404").1, "a caller's mistake is no error of ours");
    assert!(of("502").1);
    assert!(!collector.spans().iter().any(|span| span.name.contains("health") || span.name.contains("livez")));
    assert!(!collector.has_heard("rosebud"), "neither queries nor arguments nor messages stand in a span");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sampled_is_passed_on_and_not_sent() {
    let (collector, rig) = rig().await;
    let parent = PARENT.strip_suffix("01").expect("is sampled").to_owned() + "00";
    let params = rig.execute("stdio__params", &[("traceparent", &parent)]).await;
    rig.close().await;
    let told = params["_meta"]["traceparent"].as_str().expect("is told");
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_telemetry_a_trace_is_passed_on_as_it_came() {
    let rig = Rig::start(telemetry(&[])).await;
    let trace = [("traceparent", PARENT), ("tracestate", "vendor=a")];
    for server in SERVERS {
        let params = rig.execute(&format!("{server}__params"), &trace).await;
        let meta = &params["_meta"];
        assert_eq!(
            (meta["traceparent"].as_str(), meta["tracestate"].as_str()),
            (Some(PARENT), Some("vendor=a")),
            "{server}"
        );
        let plain = rig.execute(&format!("{server}__params"), &[("traceparent", "broken")]).await;
        assert_eq!(plain["_meta"]["traceparent"], Value::Null, "{server}: {plain}");
    }
    let headers = rig.execute("modern__headers", &trace).await;
    assert_eq!((headers["traceparent"].as_str(), headers["tracestate"].as_str()), (Some(PARENT), Some("vendor=a")));
    let (headers, body) = modern(PARENT);
    let (_, answer) = rig.post("/mcp", &headers, &body).await;
    assert_eq!(params_in(&answer)["_meta"]["traceparent"], PARENT);
    rig.close().await;
}
