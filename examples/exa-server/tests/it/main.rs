//! The server as a client meets it, before an Exa that is played; and behind a gateway.

use examples_testkit::{Answer, Api, Gateway, Request, StdioServer, program};
use serde_json::{Value, json};

const KEY: &str = "exa-key";

/// An Exa that takes the key, and answers each path.
fn exa() -> Api {
    Api::start(|request| {
        if request.headers.get("x-api-key").map(String::as_str) != Some(KEY) {
            let error = json!({ "requestId": "1", "error": "Invalid API key", "tag": "INVALID_API_KEY" });
            return Answer::Json(401, error);
        }
        match request.path.as_str() {
            "/search" => search(request),
            "/contents" => contents(request),
            "/answer" => Answer::Json(
                200,
                json!({ "requestId": "1", "answer": "It is 42.", "citations": [
                { "id": "https://a.example", "url": "https://a.example", "title": "The answer" },
            ] }),
            ),
            _ => Answer::Text(404, "<html>no</html>".to_owned()),
        }
    })
}

/// More than was asked for, as nobody has promised otherwise.
fn search(request: &Request) -> Answer {
    if request.body["query"] == "" {
        let error = json!({ "requestId": "1", "error": "query is required", "tag": "INVALID_REQUEST_BODY" });
        return Answer::Json(400, error);
    }
    let page = |number: usize| {
        json!({
            "id": format!("https://a.example/{number}"), "url": format!("https://a.example/{number}"),
            "title": format!("Page {number}"), "publishedDate": "2026-10-01T00:00:00.000Z", "author": "Ada",
            "highlights": ["x".repeat(5_000)], "score": 0.5, "image": null,
        })
    };
    Answer::Json(200, json!({ "requestId": "1", "results": (0..40).map(page).collect::<Vec<_>>(), "costDollars": {} }))
}

fn contents(request: &Request) -> Answer {
    let urls = request.body["urls"].as_array().cloned().unwrap_or_default();
    let (gone, there): (Vec<_>, Vec<_>) =
        urls.iter().partition(|url| url.as_str().is_some_and(|url| url.ends_with("gone")));
    let page = |url: &&Value| json!({ "id": url, "url": url, "title": "A page", "text": "é".repeat(200_000) });
    let error = json!({ "tag": "CRAWL_NOT_FOUND", "httpStatusCode": 404 });
    let failed = |url: &&Value| json!({ "id": url, "status": "error", "error": error });
    let pages: Vec<_> = there.iter().map(page).collect();
    let statuses: Vec<_> = gone.iter().map(failed).collect();
    Answer::Json(200, json!({ "requestId": "1", "results": pages, "statuses": statuses }))
}

fn server(variables: &[(&str, &str)]) -> StdioServer {
    let mut server = StdioServer::start(env!("CARGO_BIN_EXE_exa-server"), variables);
    assert_eq!(server.initialize()["result"]["serverInfo"]["name"], "exa-server");
    server
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().expect("a text")
}

#[test]
fn its_tools_describe_themselves() {
    // Without a key, too: so that they can be found, and say what is missing.
    let mut server = server(&[]);
    let listed = server.request("tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let mut names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["answer_question", "get_contents", "web_search"]);
    for tool in tools {
        assert!(tool["title"].is_string() && tool["description"].as_str().is_some_and(|it| it.len() > 80), "{tool}");
        assert!(tool["outputSchema"].is_object() && tool["annotations"]["openWorldHint"] == true, "{tool}");
        for (name, property) in tool["inputSchema"]["properties"].as_object().expect("properties") {
            assert!(property["description"].is_string(), "{name} of {tool}");
        }
    }
    for (tool, arguments) in [
        ("web_search", json!({ "query": "x" })),
        ("get_contents", json!({ "urls": ["https://a.example"] })),
        ("answer_question", json!({ "question": "x" })),
    ] {
        let result = server.call(tool, &arguments);
        assert!(result["isError"] == true && text(&result).contains("set EXA_API_KEY"), "{result}");
    }
}

#[test]
fn it_searches_with_all_that_was_said() {
    let exa = exa();
    let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &format!("{}/", exa.url()))]);
    let result = server.call("web_search", &json!({ "query": "battery recycling" }));
    let pages = result["structuredContent"]["pages"].as_array().expect("pages");
    assert_eq!((result["isError"].clone(), pages.len()), (json!(false), 5), "{result}");
    assert_eq!(pages[0]["title"], "Page 0");
    assert_eq!(pages[0]["published"], "2026-10-01T00:00:00.000Z");
    assert_eq!(pages[0]["excerpts"][0].as_str().map(|it| it.chars().count()), Some(1_001), "cut, with a mark");
    assert!(text(&result).contains("Page 4\nhttps://a.example/4\n2026-10-01T00:00:00.000Z, Ada\n> x"), "{result}");
    let arguments = json!({ "query": "x", "num_results": 20, "category": "research paper", "include_domains": ["arxiv.org"],
        "exclude_domains": ["b.example"], "published_after": "2026-01-01", "published_before": "2026-02-01" });
    let result = server.call("web_search", &arguments);
    assert_eq!(result["structuredContent"]["pages"].as_array().map(Vec::len), Some(20), "{result}");
    assert!(result.to_string().len() < 60_000, "{}", result.to_string().len());
    let sent: Vec<_> = exa.requests().into_iter().map(|request| request.body).collect();
    let contents = json!({ "highlights": { "maxCharacters": 1_000 } });
    let first = json!({ "query": "battery recycling", "type": "auto", "numResults": 5, "contents": contents });
    let second = json!({ "query": "x", "type": "auto", "numResults": 20, "contents": contents, "category": "research paper",
        "includeDomains": ["arxiv.org"], "excludeDomains": ["b.example"], "startPublishedDate": "2026-01-01",
        "endPublishedDate": "2026-02-01" });
    assert_eq!(sent, [first, second]);
}

#[test]
fn it_reads_pages_and_tells_which_cannot_be_read() {
    let exa = exa();
    let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &exa.url())]);
    let urls = ["https://a.example/there", "https://a.example/gone"];
    let result = server.call("get_contents", &json!({ "urls": urls, "max_age_hours": 0 }));
    let found = &result["structuredContent"];
    assert_eq!(found["pages"][0]["text"].as_str().map(|text| text.chars().count()), Some(5_001), "{result}");
    assert_eq!(found["failed"][0]["url"], "https://a.example/gone");
    assert!(text(&result).contains("https://a.example/gone: it cannot be read: CRAWL_NOT_FOUND"), "{result}");
    let many: Vec<_> = (0..10).map(|number| format!("https://a.example/{number}")).collect();
    let result = server.call("get_contents", &json!({ "urls": many, "max_characters": 50_000 }));
    // Text and structure have it once each.
    assert!(text(&result).chars().count() < 101_000, "{}", text(&result).chars().count());
    let sent: Vec<_> = exa.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(sent[0], json!({ "urls": urls, "text": { "maxCharacters": 5_000 }, "maxAgeHours": 0 }));
    assert_eq!(sent[1]["text"]["maxCharacters"], 10_000, "all pages share the room that there is");
}

#[test]
fn it_answers_questions_with_sources() {
    let exa = exa();
    let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &exa.url())]);
    let result = server.call("answer_question", &json!({ "question": "what is 6 * 7?" }));
    assert_eq!(text(&result), "It is 42.\n- The answer https://a.example");
    assert_eq!(result["structuredContent"]["answer"], "It is 42.");
    assert_eq!(exa.requests()[0].body, json!({ "query": "what is 6 * 7?", "text": false }));
}

#[test]
fn what_goes_wrong_is_told() {
    let exa = exa();
    let mut refused = server(&[("EXA_API_KEY", "wrong"), ("EXA_BASE_URL", &exa.url())]);
    let result = refused.call("web_search", &json!({ "query": "x" }));
    assert_eq!(text(&result), "Exa refused the key in EXA_API_KEY: Invalid API key (INVALID_API_KEY)");
    let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &exa.url())]);
    for (tool, arguments, expected) in [
        (
            "web_search",
            json!({ "query": "" }),
            "Exa does not take the request: query is required (INVALID_REQUEST_BODY)",
        ),
        ("web_search", json!({ "query": "x", "num_results": 21 }), "num_results must be between 1 and 20"),
        ("web_search", json!({ "query": "x", "num_results": 0 }), "num_results must be between 1 and 20"),
        ("get_contents", json!({ "urls": [] }), "the number of urls must be between 1 and 10"),
        (
            "get_contents",
            json!({ "urls": ["x"], "max_characters": 60_000 }),
            "max_characters must be between 1 and 50000",
        ),
    ] {
        let result = server.call(tool, &arguments);
        assert!(result["isError"] == true && text(&result) == expected, "{result}");
    }
    assert_eq!(exa.requests().len(), 2, "what cannot be is not sent");
}

#[test]
fn statuses_and_silence_are_told() {
    let error = |message: &str| json!({ "requestId": "1", "error": message });
    let cases = [
        (Answer::Json(402, error("no credits")), "the credits or the key's budget are used up (no credits)"),
        (Answer::Json(403, error("not on this plan")), "Exa does not allow this with this key: not on this plan"),
        (Answer::Json(422, error("no such page")), "Exa does not take the request: no such page"),
        (Answer::Json(429, error("slow down")), "Exa was asked too often; wait a moment"),
        (Answer::Json(500, error("a stack trace")), "Exa has trouble of its own (status 500); try again later"),
        (Answer::Text(503, "<html>".to_owned()), "Exa has trouble of its own (status 503); try again later"),
        (Answer::Text(200, "<html>".to_owned()), "the answer is not one of Exa's"),
        (Answer::Text(200, "x".repeat(9_000_000)), "the answer is not one of Exa's: it is too long"),
        (Answer::Silence, "Exa did not answer in time"),
    ];
    for (answer, expected) in cases {
        let exa = Api::start(move |_| answer.clone());
        let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &exa.url()), ("EXA_TIMEOUT_SECONDS", "1")]);
        let result = server.call("web_search", &json!({ "query": "x" }));
        assert!(result["isError"] == true && text(&result).contains(expected), "{expected}: {result}");
        assert!(!result.to_string().contains(KEY), "{result}");
    }
    let gone = exa().url();
    let mut server = server(&[("EXA_API_KEY", KEY), ("EXA_BASE_URL", &gone)]);
    let result = server.call("web_search", &json!({ "query": "x" }));
    assert!(text(&result).starts_with("Exa cannot be reached: ") && text(&result).contains("refused"), "{result}");
}

#[test]
fn a_gateway_finds_and_runs_its_tools() {
    let exa = exa();
    let variables = json!({ "EXA_API_KEY": KEY, "EXA_BASE_URL": exa.url() });
    let gateway = Gateway::with_servers(&json!({
        "exa": { "command": env!("CARGO_BIN_EXE_exa-server"), "env": variables },
        "demo": { "command": program("demo-server") },
    }));
    for (query, best) in [
        ("search the web for news about batteries", "exa__web_search"),
        ("find research papers", "exa__web_search"),
        ("read this web page", "exa__get_contents"),
        ("answer a question", "exa__answer_question"),
        ("what time is it in Tokyo", "demo__current_time"),
    ] {
        let found = gateway.post("/mcp/search", &json!({ "query": query }));
        assert_eq!(found["result"][0]["qualified_name"], best, "{query}: {found}");
    }
    let call = json!({ "tool_name": "exa__web_search", "args": { "query": "battery recycling", "num_results": 2 } });
    let reply = gateway.post("/mcp/execute", &call);
    let result = &reply["result"];
    assert_eq!(result["success"], true, "{reply}");
    assert!(
        result["content"].as_str().is_some_and(|text| text.starts_with("Page 0\nhttps://a.example/0\n")),
        "{reply}"
    );
    assert_eq!(result["call_tool_result"]["structuredContent"]["pages"].as_array().map(Vec::len), Some(2), "{reply}");
}
