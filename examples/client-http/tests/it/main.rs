//! The program as a person, a script and a model meet it.

use examples_testkit::{Gateway, Program, Said, anthropic, open_ai, program};
use serde_json::json;

fn client(gateway: &Gateway) -> Program {
    Program::new(env!("CARGO_BIN_EXE_client-http")).arguments(&["--gateway", &gateway.url()])
}

#[test]
fn a_script_gets_the_result() {
    let gateway = Gateway::demo();
    let once = |text: &str, more: &[&str]| client(&gateway).arguments(&["--once", text]).arguments(more).run();

    let run = once("evaluate an expression", &["--args", r#"{"expression": "6 * 7"}"#]);
    run.check(0, &["demo__calculate", "running demo__calculate", "\n42\n", "\"exact\": true"]);

    let run = once("evaluate an expression", &["--args", r#"{"expression": "1/0"}"#]);
    run.check(1, &["running demo__calculate"]);
    assert!(run.err.contains("the tool failed") && run.err.contains("division by zero"), "{run:#?}");

    let run = once("evaluate an expression", &[]);
    run.check(1, &["expression", "required> "]);
    assert!(run.err.contains("was not run"), "{run:#?}");

    let run = once("bake a strawberry cake", &[]);
    run.check_failure(1, "no tool fits");

    let run = once("anything", &["--args", "[1]"]);
    run.check_failure(2, "no JSON object");
}

#[test]
fn a_person_picks_a_tool_and_fills_in_its_form() {
    let gateway = Gateway::demo();
    let run = client(&gateway)
        .typed(&[
            "convert a time between zones",
            "7", // There are not so many.
            "1",
            "", // `time` is required.
            "09:30",
            "Asia/Tokyo",
            "Europe/Berlin",
            "evaluate an expression",
            "",
            "/cancel",
            "evaluate an expression",
            "0",
            "bake a strawberry cake",
            "/tools",
            "/quit",
            "never read",
        ])
        .run();
    let parts = [
        "No model: you pick the tools",
        "demo__convert_time",
        "which one?",
        "a number from 0 to",
        "time: The time to convert",
        "it is required",
        "to_timezone: ",
        "from_timezone: ",
        "Enter to leave it out> ",
        "running demo__convert_time {\"from_timezone\":\"Europe/Berlin\",\"time\":\"09:30\",\"to_timezone\":\"Asia/Tokyo\"}",
        "(Europe/Berlin) is ",
        "hours",
        "demo__calculate",
        "`demo__calculate` was not run",
        "no tool fits",
        "demo__echo",
        "4 tools",
    ];
    run.check(0, &parts);
    assert!(!run.out.contains("never read"), "{run:#?}");
}

#[test]
fn what_a_tool_tells_on_the_way_comes_before_its_result() {
    let gateway = Gateway::with_servers(&json!({ "reference": { "command": program("testkit-upstream") } }));
    let once = |text: &str, args: &str| client(&gateway).arguments(&["--once", text, "--args", args]).run();
    let run = once("report progress", r#"{"steps": 3}"#);
    run.check(0, &["running reference__progress", "… 1/3", "… 2/3", "… 3/3", "\n"]);
    let run = once("send a log message", r#"{"text": "hello log", "level": "warning"}"#);
    run.check(0, &["running reference__log", "[warning]", "hello log"]);
    // The tool works for hours, and is not at its end.
    let args = r#"{"steps": 100, "pause_ms": 3600000}"#;
    let started = client(&gateway).arguments(&["--once", "report progress", "--args", args]).start();
    started.wait_for("… 1/100");
}

#[test]
fn a_session_of_its_own_is_deleted_at_the_end() {
    let gateway = Gateway::demo();
    let created = gateway.post("/sessions/create", &json!({}));
    let id = created["session_id"].as_str().expect("an id");
    let run = client(&gateway).arguments(&["--session", id]).typed(&["/tools"]).run();
    run.check(0, &["demo__echo", "4 tools"]);
    let run = client(&gateway).arguments(&["--session"]).typed(&["/tools"]).run();
    run.check(0, &["demo__echo", "4 tools"]);
    let left = gateway.get("/sessions");
    assert_eq!((left["total"].as_u64(), left["sessions"][0]["session_id"].as_str()), (Some(1), Some(id)), "{left}");
    let run = client(&gateway).arguments(&["--session", "sess_00000000000000000000000000000000", "--once", "x"]).run();
    assert!(run.status == Some(1) && run.err.contains("(not_found)"), "{run:#?}");
}

#[test]
fn a_gateway_that_is_not_there_is_told() {
    let run = Program::new(env!("CARGO_BIN_EXE_client-http"))
        .arguments(&["--gateway", "http://127.0.0.1:1", "--once", "x"])
        .run();
    assert!(run.status == Some(1) && run.err.contains("cannot be asked") && run.err.contains("refused"), "{run:#?}");
}

#[test]
fn a_model_finds_and_runs_tools() {
    let gateway = Gateway::demo();
    let script = vec![
        Said::Calls(vec![("search_tools", json!({ "query": "evaluate an expression" }))]),
        Said::Calls(vec![
            ("execute_tool", json!({ "tool_name": "demo__calculate", "args": { "expression": "6*7" } })),
            ("execute_tool", json!({ "tool_name": "demo__calculate", "args": { "expression": "1/0" } })),
            ("execute_tool", json!({ "tool_name": "nothing", "args": {} })),
        ]),
        Said::Text("It is forty-two."),
    ];
    let (chat, messages) = (open_ai(script.clone()), anthropic(script));
    let with_open_ai = client(&gateway)
        .variable("OPENAI_API_KEY", "sk-test")
        .variable("OPENAI_BASE_URL", &format!("{}/v1", chat.url()))
        .variable("OPENAI_MODEL", "gpt-test");
    let with_anthropic = client(&gateway)
        .variable("OPENAI_API_KEY", "for another one")
        .variable("ANTHROPIC_API_KEY", "sk-test")
        .variable("ANTHROPIC_BASE_URL", &messages.url())
        .arguments(&["--model", "claude-test"]);
    for (client, api, model) in [(with_open_ai, &chat, "gpt-test"), (with_anthropic, &messages, "claude-test")] {
        let run = client.arguments(&["--once", "what is 6 times 7?"]).run();
        let parts = [
            "· searches: evaluate an expression",
            "· runs: demo__calculate {\"expression\":\"6*7\"}",
            "It is forty-two.\n",
        ];
        run.check(0, &parts);
        let requests = api.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.body["model"] == model), "{requests:#?}");
        let (found, done) = (requests[1].body.to_string(), requests[2].body.to_string());
        assert!(found.contains("demo__calculate") && found.contains("input_schema"), "{found}");
        for part in ["42", "division by zero", "(not_found)"] {
            assert!(done.contains(part), "{part}: {done}");
        }
    }
}

#[test]
fn a_chat_with_a_model_remembers_and_survives_its_failures() {
    let gateway = Gateway::demo();
    let chat = open_ai(vec![Said::Text("Hello Ada."), Said::Failure(429, "slow down"), Said::Text("You are Ada.")]);
    let run = client(&gateway)
        .variable("OPENAI_API_KEY", "sk-test")
        .variable("OPENAI_BASE_URL", &format!("{}/v1", chat.url()))
        .typed(&["I am Ada", "who am I?", "who am I?"])
        .run();
    run.check(0, &["finds and runs the tools", "Hello Ada.", "429", "slow down", "You are Ada."]);
    let last = chat.requests()[2].body["messages"].clone();
    let said: Vec<_> = last.as_array().into_iter().flatten().skip(1).map(|message| &message["content"]).collect();
    assert_eq!(said, ["I am Ada", "Hello Ada.", "who am I?"]);
}
