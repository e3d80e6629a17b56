//! What the fixture's tools do.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{head, notify};
use super::declarations::{AUDIO, DYNAMIC_PROMPT, DYNAMIC_TOOL, ENUM_FORM, FORM_WITH_DEFAULTS, IMAGE, WATCHED};
use super::dialogue::{Answers, Dialogue, Question, missing_capability};
use super::session::Capabilities;
use crate::reference::peer::{Peer, Request};
use crate::reference::server::Frame;
use crate::reference::subscribers::Change;
use crate::reference::wire::{Fault, INVALID_PARAMS, Params, quote};

/// Between the steps of a tool that reports what it does.
const STEP: Duration = Duration::from_millis(50);

/// Arguments of all tools; each reads its own.
#[derive(Default, Deserialize)]
struct Arguments {
    prompt: Option<String>,
    message: Option<String>,
    region: Option<String>,
}

/// Runs a tool and returns its result as JSON text.
pub(super) async fn call(peer: &Peer, request: &Request, params: &Params<'_>) -> Result<String, Fault> {
    let name = params.name.as_deref().ok_or_else(|| Fault::new(INVALID_PARAMS, "`name` is missing"))?;
    peer.calls.fetch_add(1, Relaxed);
    let arguments: Arguments = serde_json::from_str(params.arguments.map_or("{}", RawValue::get))
        .map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("arguments: {error}")))?;
    if let Some(dialogue) = dialogue(name, &arguments)? {
        if name == "test_streaming_elicitation" {
            report(request, params, 0);
        }
        return dialogue.hold(peer, request, params, name).await;
    }
    let modern = request.arrival.modern;
    change(peer, name);
    let done = |members: &str| Ok(format!("{{{}{members}}}", head(modern)));
    match name {
        "test_simple_text" => done(&text("This is a simple text response for testing.")),
        "test_image_content" => done(&content(&[IMAGE])),
        "test_audio_content" => done(&content(&[AUDIO])),
        "test_embedded_resource" => done(&content(&[concat!(
            r#"{"type":"resource","resource":{"uri":"test://embedded-resource","mimeType":"text/plain","#,
            r#""text":"This is an embedded resource content."}}"#
        )])),
        "test_multiple_content_types" => done(&content(&[
            r#"{"type":"text","text":"Multiple content types test:"}"#,
            IMAGE,
            concat!(
                r#"{"type":"resource","resource":{"uri":"test://mixed-content-resource","mimeType":"application/json","#,
                r#""text":"{\"test\":\"data\",\"value\":123}"}}"#
            ),
        ])),
        "test_error_handling" => Ok(failure("This tool intentionally returns an error for testing", modern)),
        "test_tool_with_logging" | "test_logging_tool" => {
            for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(peer, request, params, message);
                tokio::time::sleep(STEP).await;
            }
            done(&text("Tool with logging executed successfully"))
        }
        "test_tool_with_progress" => {
            for progress in [0, 50, 100] {
                report(request, params, progress);
                tokio::time::sleep(STEP).await;
            }
            done(&text("Tool with progress executed successfully"))
        }
        "test_reconnection" => {
            request.arrival.outlet.send(Frame::HangUp);
            tokio::time::sleep(2 * STEP).await;
            done(&text("Reconnection test completed successfully"))
        }
        "test_missing_capability" => {
            let declared = params.meta.as_ref().and_then(|meta| meta.capabilities).map(Capabilities::parse);
            if modern && !declared.unwrap_or_default().have("sampling") {
                return Err(missing_capability("sampling"));
            }
            done(&text("the client declared the capability sampling"))
        }
        "test_trigger_tool_change" | "test_trigger_prompt_change" | "test_trigger_resource_update" => {
            done(&text("changed"))
        }
        "test_dynamic_tool" if peer.server.tools().iter().any(|tool| tool == DYNAMIC_TOOL) => {
            done(&text("a tool that comes and goes"))
        }
        "test_custom_header" => done(&text(&format!("region: {}", arguments.region.as_deref().unwrap_or("none")))),
        "json_schema_2020_12_tool" => {
            let given = params.arguments.map_or("{}", RawValue::get);
            done(&text(&format!("JSON Schema 2020-12 tool called with: {given}")))
        }
        name => Err(Fault::of_tool(INVALID_PARAMS, format!("Unknown tool: {name}"))),
    }
}

/// Changes what the tools `test_trigger_..` change, and tells who wants to know.
fn change(peer: &Peer, tool: &str) {
    let server = &peer.server;
    let change = match tool {
        "test_trigger_tool_change" => {
            toggle(&mut server.tools(), DYNAMIC_TOOL);
            Change::Tools
        }
        "test_trigger_prompt_change" => {
            toggle(&mut server.prompts(), DYNAMIC_PROMPT);
            Change::Prompts
        }
        "test_trigger_resource_update" => Change::Resource(WATCHED.to_owned()),
        _ => return,
    };
    server.subscribers.announce(&change);
}

/// A result that says that the tool failed.
pub(super) fn failure(why: &str, modern: bool) -> String {
    format!(r#"{{{}{},"isError":true}}"#, head(modern), text(why))
}

/// What a tool asks the client, where it asks.
fn dialogue(name: &str, arguments: &Arguments) -> Result<Option<Dialogue>, Fault> {
    let needed = |argument: &Option<String>, what: &str| {
        argument.clone().ok_or_else(|| Fault::of_tool(INVALID_PARAMS, format!("the argument `{what}` is missing")))
    };
    let name_form = Question::elicit_one("user_name", "What is your name?", "name", "string");
    let confirm = Question::elicit_one("confirm", "Please confirm", "ok", "boolean");
    Ok(Some(match name {
        "test_sampling" => {
            let prompt = needed(&arguments.prompt, "prompt")?;
            Dialogue::new(vec![Question::sample("sample", &prompt, 100)], |answers| {
                text(&format!("LLM response: {}", answers.of("sample")["content"]["text"].as_str().unwrap_or_default()))
            })
        }
        "test_elicitation" => {
            let message = needed(&arguments.message, "message")?;
            let form = concat!(
                r#"{"type":"object","properties":{"username":{"type":"string","description":"User's response"},"#,
                r#""email":{"type":"string","description":"User's email address"}},"required":["username","email"]}"#
            );
            Dialogue::new(vec![Question::elicit("form", &message, form)], |answers| filled("User response", answers))
        }
        "test_elicitation_sep1034_defaults" => {
            let message = "Please review and update the form fields with defaults";
            Dialogue::new(vec![Question::elicit("form", message, FORM_WITH_DEFAULTS)], completed)
        }
        "test_elicitation_sep1330_enums" => {
            let message = "Please select options from the enum fields";
            Dialogue::new(vec![Question::elicit("form", message, ENUM_FORM)], completed)
        }
        "test_streaming_elicitation" => Dialogue::new(vec![confirm], |_| text("confirmed")),
        "test_input_required_result_elicitation" => Dialogue::new(vec![name_form], hello),
        "test_input_required_result_sampling" => {
            let question = Question::sample("capital_question", "What is the capital of France?", 100);
            Dialogue::new(vec![question], |answers| text(&said(answers, "capital_question")))
        }
        "test_input_required_result_list_roots" => Dialogue::new(vec![Question::roots("client_roots")], |answers| {
            text(&format!("The client's roots: {}", answers.of("client_roots")["roots"]))
        }),
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            Dialogue { sealed: true, ..Dialogue::new(vec![confirm], |_| text("state-ok")) }
        }
        "test_input_required_result_multiple_inputs" => {
            let greeting = Question::sample("greeting", "Generate a greeting", 50);
            let questions = vec![name_form, greeting, Question::roots("client_roots")];
            let finish = |answers: &Answers| {
                let (name, greeting) = (field(answers, "user_name", "name"), said(answers, "greeting"));
                text(&format!("{greeting} {name}, roots: {}", answers.of("client_roots")["roots"]))
            };
            Dialogue { sealed: true, ..Dialogue::new(questions, finish) }
        }
        "test_input_required_result_multi_round" => {
            let finish = |answers: &Answers| {
                let (name, color) = (field(answers, "step1", "name"), field(answers, "step2", "color"));
                text(&format!("{name} likes {color}"))
            };
            let first = Question::elicit_one("step1", "Step 1: What is your name?", "name", "string");
            let second = Question::elicit_one("step2", "Step 2: What is your favorite color?", "color", "string");
            Dialogue { rounds: vec![vec![first], vec![second]], sealed: true, lenient: false, finish }
        }
        "test_input_required_result_capabilities" => {
            let sample = Question::sample("sample", "What is the capital of France?", 100);
            let finish = |answers: &Answers| text(&format!("answers: {}", answers.as_json()));
            Dialogue { lenient: true, ..Dialogue::new(vec![name_form, sample], finish) }
        }
        _ => return Ok(None),
    }))
}

fn hello(answers: &Answers) -> String {
    text(&format!("Hello, {}!", field(answers, "user_name", "name")))
}

fn completed(answers: &Answers) -> String {
    filled("Elicitation completed", answers)
}

/// What the user made of the form `form`.
fn filled(what: &str, answers: &Answers) -> String {
    let answer = answers.of("form");
    let action = answer["action"].as_str().unwrap_or_default();
    let content = answer.get("content").unwrap_or(&Value::Null);
    text(&format!("{what}: action={action}, content={content}"))
}

/// A field that the user filled in.
fn field(answers: &Answers, key: &str, name: &str) -> String {
    answers.of(key)["content"][name].as_str().unwrap_or("nothing").to_owned()
}

/// What the model said.
fn said(answers: &Answers, key: &str) -> String {
    answers.of(key)["content"]["text"].as_str().unwrap_or_default().to_owned()
}

/// The members of a result with one text.
fn text(text: &str) -> String {
    content(&[&format!(r#"{{"type":"text","text":{}}}"#, quote(text))])
}

fn content(parts: &[&str]) -> String {
    format!(r#""content":[{}]"#, parts.join(","))
}

fn log(peer: &Peer, request: &Request, params: &Params<'_>, message: &str) {
    if peer.session.hears("info", request.arrival.modern, params) {
        let params = format!(r#"{{"level":"info","logger":"conformance","data":{}}}"#, quote(message));
        notify(&request.arrival.outlet, "notifications/message", &params);
    }
}

/// Reports progress where the request asked for it.
fn report(request: &Request, params: &Params<'_>, progress: u32) {
    if let Some(token) = params.meta.as_ref().and_then(|meta| meta.progress_token) {
        let params = format!(r#"{{"progressToken":{},"progress":{progress},"total":100}}"#, token.get());
        notify(&request.arrival.outlet, "notifications/progress", &params);
    }
}

/// Adds a declaration, or takes it away where it is there.
fn toggle(list: &mut Vec<String>, declaration: &str) {
    match list.iter().position(|known| known == declaration) {
        Some(place) => drop(list.remove(place)),
        None => list.push(declaration.to_owned()),
    }
}
