//! Who ranks, as the configuration says, and what is done where a model cannot be reached.

use serde_json::{Value, json};

use crate::fake_api::{FakeApi, Received, Reply};
use crate::gateway::{Place, Running};
use crate::http::Request;
use crate::upstreams::{stdio, with_servers};

const KEY: &str = "sk-hunter2";
/// Fits two tools of the reference server.
const QUERY: &str = "everything that came along with the call";

fn place(router: &str) -> Place {
    with_servers(&[("reference", stdio(&[]))]).variable("GATEWAY__SEARCH__ROUTER", router)
}

fn started(place: &Place) -> Running {
    let gateway = place.start(&[]);
    gateway.wait_for(&["reference"]);
    gateway
}

fn search(gateway: &Running, query: &str) -> Value {
    gateway.post("/mcp/search", &json!({ "query": query, "limit": 5 }).to_string()).ok()
}

fn names(found: &Value) -> Vec<&str> {
    let found = found["result"].as_array().expect("a list");
    found.iter().map(|found| found["tool_name"].as_str().expect("a name")).collect()
}

#[test]
fn words_and_meaning_are_the_default() {
    let place = with_servers(&[("reference", stdio(&[]))]);
    let gateway = started(&place);
    let found = search(&gateway, QUERY);
    assert_eq!(found["router"], "hybrid", "{found}");
    assert!(names(&found).contains(&"params"), "{found}");
    let nothing = search(&gateway, "asdf qwer zxcv");
    assert_eq!((&nothing["router"], &nothing["result"]), (&json!("hybrid"), &json!([])));
}

#[test]
fn routers_name_themselves() {
    for router in ["keyword", "embedding"] {
        let place = place(router);
        let found = search(&started(&place), QUERY);
        assert_eq!(found["router"], router, "{found}");
        assert!(names(&found).contains(&"params"), "{found}");
    }
}

/// What the model is shown, from the user message at `pointer`.
fn shown(request: &Received, pointer: &str) -> Value {
    let user = request.body.pointer(pointer).and_then(Value::as_str).expect("a user message");
    serde_json::from_str(user).expect("the message is JSON")
}

/// A judgement that turns the best two around.
fn judgement(shown: &Value) -> String {
    let label = |at: usize| shown["candidates"][at]["label"].as_str().expect("a label");
    json!({ "matches": [
        { "label": label(1), "reason": "the second is it", "score": 91 },
        { "label": label(0), "reason": "the first may do", "score": 42 },
    ]})
    .to_string()
}

struct Protocol {
    provider: &'static str,
    base: &'static str,
    variable: Option<&'static str>,
    first_line: &'static str,
    headers: &'static [&'static str],
    schema: &'static str,
    user: &'static str,
    says: fn(&str) -> Value,
}

fn open_ai_says(text: &str) -> Value {
    json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }] })
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol {
        provider: "openai",
        base: "/v1",
        variable: Some("OPENAI_API_KEY"),
        first_line: "POST /v1/chat/completions HTTP/1.1",
        headers: &["authorization: Bearer sk-hunter2"],
        schema: "/response_format/json_schema/schema",
        user: "/messages/1/content",
        says: open_ai_says,
    },
    Protocol {
        provider: "compatible",
        base: "/v1",
        variable: None,
        first_line: "POST /v1/chat/completions HTTP/1.1",
        headers: &[],
        schema: "/response_format/json_schema/schema",
        user: "/messages/1/content",
        says: open_ai_says,
    },
    Protocol {
        provider: "anthropic",
        base: "",
        variable: Some("ANTHROPIC_API_KEY"),
        first_line: "POST /v1/messages HTTP/1.1",
        headers: &["anthropic-version: 2023-06-01", "x-api-key: sk-hunter2"],
        schema: "/output_config/format/schema",
        user: "/messages/0/content",
        says: |text| json!({ "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn" }),
    },
    Protocol {
        provider: "gemini",
        base: "/v1beta",
        variable: Some("GEMINI_API_KEY"),
        first_line: "POST /v1beta/models/some-model:generateContent HTTP/1.1",
        headers: &["x-goog-api-key: sk-hunter2"],
        schema: "/generationConfig/responseJsonSchema",
        user: "/contents/0/parts/0/text",
        says: |text| {
            json!({ "candidates": [{
                "content": { "role": "model", "parts": [{ "text": text }] }, "finishReason": "STOP",
            }]})
        },
    },
];

fn asking(protocol: &Protocol, api: &FakeApi) -> Place {
    let place = place("openai")
        .variable("GATEWAY__LLM__PROVIDER", protocol.provider)
        .variable("GATEWAY__LLM__MODEL", "some-model")
        .variable("GATEWAY__LLM__BASE_URL", &format!("{}{}", api.url, protocol.base));
    protocol.variable.into_iter().fold(place, |place, variable| place.variable(variable, KEY))
}

#[test]
fn a_model_of_every_provider_judges() {
    for protocol in &PROTOCOLS {
        let (user, says) = (protocol.user, protocol.says);
        let api = FakeApi::start(move |request| Reply::Json(says(&judgement(&shown(request, user)))));
        let place = asking(protocol, &api);
        let found = search(&started(&place), QUERY);
        let [request] = &api.received()[..] else { panic!("{}: one request", protocol.provider) };
        assert_eq!(request.first_line, protocol.first_line);
        let ours = ["authorization", "x-api-key", "api-key", "anthropic-version", "x-goog-api-key"];
        let mut headers: Vec<_> = request.headers.iter().map(String::as_str).collect();
        headers.retain(|header| ours.contains(&header.split(':').next().unwrap_or_default()));
        headers.sort_unstable();
        assert_eq!(headers, protocol.headers, "{}", protocol.provider);
        let schema = request.body.pointer(protocol.schema).expect("a schema");
        assert_eq!(schema["required"], json!(["matches"]));
        let shown = shown(request, user);
        assert_eq!(shown["request"], QUERY);

        assert_eq!(found["router"], "openai", "{found}");
        let names = names(&found);
        assert_eq!(names[..2], [&shown["candidates"][1]["name"], &shown["candidates"][0]["name"]], "{found}");
        for (at, reason, score) in [(0, "the second is it", 0.91), (1, "the first may do", 0.42)] {
            let found = &found["result"][at];
            assert_eq!(found["reasoning"], reason);
            let off = found["match_score"].as_f64().expect("a number") - score;
            assert!(off.abs() < 0.001, "{found}");
        }
    }
}

#[test]
fn where_the_model_goes_away_the_hybrid_router_answers() {
    let hybrid = {
        let place = place("hybrid");
        search(&started(&place), QUERY)
    };
    for (protocol, closes) in PROTOCOLS.iter().zip([true, false, true, false]) {
        let api = FakeApi::start(move |_| if closes { Reply::Closes } else { Reply::Silence });
        let place = asking(protocol, &api).variable("GATEWAY__LLM__TIMEOUT_MS", "500");
        let found = search(&started(&place), QUERY);
        assert!(!api.received().is_empty(), "{}: it was asked", protocol.provider);
        assert_eq!(found["router"], "hybrid (openai unavailable)", "{found}");
        assert_eq!(names(&found).first(), names(&hybrid).first(), "{found}");
    }
}

#[test]
fn a_model_without_a_key_is_a_mistake() {
    for arguments in [&["--check"][..], &["--port", "0"]] {
        let said = place("openai").run(arguments);
        assert_eq!(said.status, Some(2), "{}", said.err);
        for variable in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
            assert!(said.err.contains(variable), "{variable} is not in {}", said.err);
        }
    }
}

#[test]
fn keys_are_never_shown() {
    for variable in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GATEWAY__SEARCH__EMBEDDING_API_KEY"] {
        let said = place("openai").variable("OPENAI_API_KEY", "sk-another").variable(variable, KEY).run(&["--check"]);
        assert_eq!(said.status, Some(0), "{}", said.err);
        assert!(said.out.contains("***") && !format!("{}{}", said.out, said.err).contains("hunter2"), "{}", said.out);
    }
    let api = FakeApi::start(|_| Reply::Closes);
    let place = asking(&PROTOCOLS[0], &api).variable("GATEWAY__LOG__LEVEL", "debug");
    let mut gateway = started(&place);
    search(&gateway, QUERY);
    assert!(!api.received().is_empty());
    gateway.signal(rustix::process::Signal::TERM);
    gateway.end();
    let log = gateway.rest().join("\n");
    assert!(!log.is_empty() && !log.contains("hunter2"), "{log}");
}

fn with_embeddings(api: &FakeApi) -> Place {
    place("hybrid")
        .variable("GATEWAY__SEARCH__EMBEDDING", "service")
        .variable("GATEWAY__SEARCH__EMBEDDING_URL", &api.url)
        .variable("GATEWAY__SEARCH__EMBEDDING_MODEL", "some-embedder")
        .variable("GATEWAY__SEARCH__EMBEDDING_API_KEY", KEY)
}

#[test]
fn a_service_may_compare_meanings() {
    let api = FakeApi::start(|request| {
        let texts = request.body["input"].as_array().expect("texts");
        let of = |text: &Value| if text.to_string().contains("call") { [1.0, 0.1] } else { [0.1, 1.0] };
        let data = texts.iter().enumerate().map(|(index, text)| json!({ "index": index, "embedding": of(text) }));
        Reply::Json(json!({ "data": data.collect::<Vec<_>>() }))
    });
    let place = with_embeddings(&api);
    let gateway = started(&place);
    let body = json!({ "query": QUERY }).to_string();
    let found = gateway.ask_until("POST", "/mcp/search", &body, "\"router\":\"hybrid\"");
    assert!(found.contains("params"), "{found}");
    for request in api.received() {
        assert_eq!(request.first_line, "POST /v1/embeddings HTTP/1.1");
        assert!(request.headers.iter().any(|header| header == "authorization: Bearer sk-hunter2"));
        assert_eq!(request.body["model"], "some-embedder");
    }
}

#[test]
fn where_the_service_is_down_words_still_find() {
    let api = FakeApi::start(|_| Reply::Closes);
    let place = with_embeddings(&api);
    let found = search(&started(&place), QUERY);
    assert_eq!(found["router"], "hybrid (embedding unavailable)", "{found}");
    assert!(names(&found).contains(&"params"), "{found}");
}

#[test]
fn over_mcp_the_search_also_works_without_the_model() {
    let api = FakeApi::start(|_| Reply::Closes);
    let place = asking(&PROTOCOLS[0], &api);
    let gateway = started(&place);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": "search_tools", "arguments": { "query": QUERY }, "_meta": meta });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let request = Request::post("/mcp", request.to_string())
        .with("Accept", "application/json, text/event-stream")
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/call")
        .with("Mcp-Name", "search_tools");
    let found = gateway.http(&request).ok();
    assert!(!api.received().is_empty(), "the model was asked");
    let tools = found["result"]["structuredContent"]["tools"].as_array().expect("a list");
    assert!(tools.iter().any(|tool| tool["name"].as_str().is_some_and(|name| name.ends_with("params"))), "{found}");
}
