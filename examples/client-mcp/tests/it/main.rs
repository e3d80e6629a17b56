//! The program as a person, a script and a model meet it, in front of servers of both eras.

use examples_testkit::{Gateway, Program, Said, anthropic, open_ai, program};
use serde_json::{Value, json};

/// How a client and a server may be paired.
const ERAS: [(&[&str], &str); 4] = [(&[], "old"), (&[], "new"), (&["--legacy"], "old"), (&["--legacy"], "new")];

fn client(gateway: &Gateway) -> Program {
    Program::new(env!("CARGO_BIN_EXE_client-mcp")).arguments(&["--gateway", &gateway.url()])
}

/// A gateway with a server of each era, which offer what the official conformance suite wants.
fn old_and_new() -> Gateway {
    Gateway::with_servers(&json!({ "old": upstream("legacy"), "new": upstream("modern") }))
}

fn upstream(era: &str) -> Value {
    json!({ "command": program("testkit-upstream"), "args": ["--conformance", "--era", era] })
}

#[test]
fn a_script_gets_the_result() {
    let gateway = Gateway::demo();
    for era in [&[][..], &["--legacy"]] {
        let once =
            |text: &str, args: &str| client(&gateway).arguments(era).arguments(&["--once", text, "--args", args]).run();
        let run = once("evaluate an expression", r#"{"expression": "6 * 7"}"#);
        run.check(0, &["demo__calculate", "running demo__calculate", "\n42\n", "\"exact\": true"]);
        let run = once("evaluate an expression", r#"{"expression": "1/0"}"#);
        run.check(1, &["running demo__calculate"]);
        assert!(run.err.contains("the tool failed: division by zero"), "{run:#?}");
        let run = once("bake a strawberry cake", "{}");
        run.check_failure(1, "no tool fits");
        // With all tools in sight the client itself searches.
        let all = ["--expose", "all", "--once", "repeat a message", "--args", r#"{"message": "hello"}"#];
        client(&gateway).arguments(era).arguments(&all).run().check(0, &["running demo__echo", "\nhello\n"]);
    }
}

#[test]
fn a_session_of_the_gateway_is_worked_in() {
    let gateway = Gateway::demo();
    let created = gateway.post("/sessions/create", &json!({}));
    let id = created["session_id"].as_str().expect("an id");
    let server = json!({ "mcpServers": { "second": upstream("legacy") } });
    let inside = gateway.post_in_session("/mcp/servers/add", id, &server);
    assert_eq!(inside["success"], true, "{inside}");
    for era in [&[][..], &["--legacy"]] {
        let once = ["--once", "simple text", "--args", "{}"];
        let run = client(&gateway).arguments(era).arguments(&["--session", id]).arguments(&once).run();
        run.check(0, &["running second__test_simple_text", "simple text response"]);
        let run = client(&gateway).arguments(era).arguments(&once).run();
        assert!(!run.out.contains("second"), "{run:#?}");
    }
}

#[test]
fn what_a_tool_tells_on_the_way_comes_before_its_result() {
    let gateway = old_and_new();
    for (era, server) in ERAS {
        let once = |text: &str| client(&gateway).arguments(era).arguments(&["--once", text, "--args", "{}"]).run();
        let run = once(&format!("{server} test_tool_with_progress"));
        let name = format!("running {server}__test_tool_with_progress");
        run.check(0, &[&name, "… 0/100", "… 50/100", "… 100/100", "executed successfully"]);
        let run = once(&format!("{server} test_tool_with_logging"));
        let name = format!("running {server}__test_tool_with_logging");
        let lines = ["[info]", "execution started", "processing data", "execution completed", "executed successfully"];
        run.check(0, &[&[name.as_str()][..], &lines].concat());
    }
}

#[test]
fn progress_is_shown_while_the_tool_works() {
    let servers = ["legacy", "modern"].map(|era| {
        let arguments = ["--era", era];
        (era.to_owned(), json!({ "command": program("testkit-upstream"), "args": arguments }))
    });
    let gateway = Gateway::with_servers(&Value::from_iter(servers));
    // It works for hours, and is not at its end.
    let args = r#"{"steps": 100, "pause_ms": 3600000}"#;
    for era in [&[][..], &["--legacy"]] {
        for server in ["legacy", "modern"] {
            let once = ["--once", &format!("{server} progress"), "--args", args];
            let started = client(&gateway).arguments(era).arguments(&once).start();
            started.wait_for(&format!("running {server}__progress"));
            started.wait_for("… 1/100");
        }
    }
}

#[test]
fn a_person_answers_the_forms_of_servers() {
    let gateway = old_and_new();
    for (era, server) in ERAS {
        let name = format!("{server}__test_elicitation_sep1034_defaults");
        let wish = format!("{server} test_elicitation_sep1034_defaults");
        let fill = |typed: &[&str]| {
            let typed: Vec<&str> = [wish.as_str(), "1"].into_iter().chain(typed.iter().copied()).collect();
            client(&gateway).arguments(era).typed(&typed).run()
        };
        // Members of an object come in the order of their names: age, name, score, status, verified.
        let run = fill(&["", "seven", "7", "Ada", "", "3", "no"]);
        let content = r#"{"age":7,"name":"Ada","score":95.5,"status":"pending","verified":false}"#;
        let asked = ["the server asks:", "no whole number", "Enter for \"John Doe\"", "2 inactive"];
        run.check(0, &[&[name.as_str()][..], &asked, &["action=accept", content]].concat());
        fill(&["n"]).check(0, &[&name, "action=decline"]);
        fill(&["y", "/cancel"]).check(0, &[&name, "action=cancel"]);
        fill(&[]).check(0, &[&name, "action=cancel"]);
    }
}

#[test]
fn forms_have_every_kind_of_choice() {
    let gateway = old_and_new();
    for (era, server) in ERAS {
        let wish = format!("{server} test_elicitation_sep1330_enums");
        let typed = [wish.as_str(), "1", "y", "1", "2,3", "2", "3,1", "1"];
        let run = client(&gateway).arguments(era).typed(&typed).run();
        let name = format!("running {server}__test_elicitation_sep1330_enums");
        let parts = [
            name.as_str(),
            "1 Option One",
            "one of these",
            "2 Second Choice",
            "some of these, commas between",
            "action=accept",
            r#"{"legacyEnum":"opt1","titledMulti":["value2","value3"],"titledSingle":"value2","#,
            r#""untitledMulti":["option3","option1"],"untitledSingle":"option1"}"#,
        ];
        run.check(0, &parts);
    }
}

#[test]
fn servers_may_ask_the_model_where_there_is_one_and_the_person_agrees() {
    let gateway = old_and_new();
    for (era, server) in ERAS {
        let wish = format!("{server} test_sampling");
        let tool = format!("{server}__test_sampling");
        let call = json!({ "tool_name": tool, "args": { "prompt": "What is 6 * 7?" } });
        let script = vec![
            Said::Calls(vec![("execute_tool", call.clone())]),
            Said::Text("Forty-two."), // To the server.
            Said::Text("The server knows now."),
            Said::Calls(vec![("execute_tool", call)]),
            Said::Text("You did not let it."),
        ];
        let api = anthropic(script);
        let run = client(&gateway)
            .arguments(era)
            .variable("ANTHROPIC_API_KEY", "sk-test")
            .variable("ANTHROPIC_BASE_URL", &api.url())
            .typed(&["let the server ask you", "y", "once more", "n"])
            .run();
        let asked = ["the server wants to ask the model:", "What is 6 * 7?", "may it?"];
        let (first, second) = (["The server knows now."], ["You did not let it."]);
        run.check(0, &[&asked[..], &first, &asked, &second].concat());
        let requests = api.requests();
        assert_eq!(requests.len(), 5, "{requests:#?}");
        assert!(requests[1].body["tools"].is_null() && requests[1].body["max_tokens"] == 100, "{:#?}", requests[1]);
        assert!(requests[2].body.to_string().contains("Forty-two."), "{:#?}", requests[2]);
        assert!(requests[4].body.to_string().contains("declined"), "{:#?}", requests[4]);

        let run = client(&gateway).arguments(era).arguments(&["--once", &wish, "--args", r#"{"prompt": "?"}"#]).run();
        run.check_failure(1, "sampling");
    }
}

#[test]
fn resources_and_prompts_are_listed_and_read() {
    let gateway = Gateway::with_servers(&json!({ "old": upstream("legacy") }));
    for era in [&[][..], &["--legacy"]] {
        let run = client(&gateway)
            .arguments(era)
            .arguments(&["--expose", "all"])
            .typed(&[
                "/resources",
                "/read test://static-text",
                "/read test://static-binary",
                "/read test://template/7/data",
                "/read test://nothing",
                "/prompts",
                "/prompt old__nothing",
                "/prompt old__test_prompt_with_arguments",
                "one",
                "two",
                "/tools",
            ])
            .run();
        let parts = [
            "test://static-text",
            "test://template/{id}/data",
            "3 resources, 1 templates",
            "static text resource",
            "[test://static-binary: image/png,",
            "7",
            "Resource not found",
            "old__test_simple_prompt",
            "5 prompts",
            "no prompt is called",
            "arg1='one', arg2='two'",
            "old__test_simple_text",
            "tools",
        ];
        run.check(0, &parts);
    }
    let run = client(&gateway).typed(&["/resources", "/prompts", "/tools"]).run();
    run.check(0, &["0 resources, 0 templates", "0 prompts", "search_tools", "2 tools"]);
}

#[test]
fn a_program_is_spoken_to_over_its_pipes() {
    let (demo, upstream) = (program("demo-server"), program("testkit-upstream"));
    let stdio = |server: &std::path::Path, more: &[&str]| {
        let server = server.to_str().expect("a path is text");
        Program::new(env!("CARGO_BIN_EXE_client-mcp")).arguments(&[&["--stdio", server][..], more].concat())
    };
    let run = stdio(&demo, &[]).typed(&["evaluate a mathematical expression", "1", "6*7"]).run();
    run.check(0, &["connected to Demo server, MCP 2026-07-28", "running calculate", "\n42\n"]);
    for era in ["legacy", "modern"] {
        let run = stdio(&upstream, &["--era", era]).typed(&["report progress", "1", "2", ""]).run();
        run.check(0, &["connected to Reference server", "steps:", "… 1/2", "… 2/2"]);
    }
    let run = stdio(std::path::Path::new("/no/such/program"), &[]).run();
    run.check_failure(1, "cannot be started");
}

#[test]
fn a_model_finds_and_runs_tools() {
    let gateway = Gateway::demo();
    let api = open_ai(vec![
        Said::Calls(vec![("search_tools", json!({ "query": "evaluate an expression", "limit": 1 }))]),
        Said::Calls(vec![("execute_tool", json!({ "tool_name": "demo__calculate", "args": { "expression": "6*7" } }))]),
        Said::Text("It is forty-two."),
    ]);
    let run = client(&gateway)
        .variable("OPENAI_API_KEY", "sk-test")
        .variable("OPENAI_BASE_URL", &format!("{}/v1", api.url()))
        .arguments(&["--once", "what is 6 times 7?"])
        .run();
    run.check(0, &["· searches: evaluate", "· runs: demo__calculate", "It is forty-two.\n"]);
    let requests = api.requests();
    let result = |request: usize| requests[request].body["messages"].as_array().and_then(|it| it.last()).cloned();
    let found = result(1).expect("the search's result")["content"].as_str().map(str::to_owned).expect("a text");
    assert!(found.contains("demo__calculate") && !found.contains("demo__convert_time"), "one tool was wanted: {found}");
    assert!(result(2).expect("the tool's result").to_string().contains("42"), "{requests:#?}");
}

#[test]
fn why_there_is_no_connection_is_told() {
    let gateway = Gateway::demo();
    let at = |url: &str, more: &[&str]| {
        Program::new(env!("CARGO_BIN_EXE_client-mcp")).arguments(&["--gateway", url]).arguments(more).run()
    };
    let unknown = ["--session", "sess_00000000000000000000000000000000"];
    let cases = [
        (at("http://127.0.0.1:1", &[]), "there is no connection"),
        (at(&gateway.url(), &unknown), "there is no session"),
        (at(&format!("{}/health", gateway.url()), &[]), "405"),
    ];
    for (run, expected) in cases {
        run.check_failure(1, expected);
    }
}
