//! Language models that are played: OpenAI's and Anthropic's APIs, as strict about what they are sent as the
//! real ones, with a script for what they say.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::api::{Answer, Api, Request};

/// The key that the APIs take.
const KEY: &str = "sk-test";

/// What a model says next.
#[derive(Clone, Debug)]
pub enum Said {
    /// An answer.
    Text(&'static str),
    /// Calls of functions: names and arguments.
    Calls(Vec<(&'static str, Value)>),
    /// Something else: the whole answer, as the API would write it.
    Raw(Value),
    /// No answer, but a failure with a message.
    Failure(u16, &'static str),
    /// No answer, but a failure as the API would write it.
    RawFailure(u16, Value),
}

/// OpenAI's API at [`Api::url`] (without `/v1`), with the key `sk-test`, which says these things in turn.
pub fn open_ai(script: Vec<Said>) -> Api {
    play(script, check_open_ai, |said, number| match said {
        Said::Text(text) => open_ai_answer(&json!({ "role": "assistant", "content": text, "refusal": null }), "stop"),
        Said::Calls(calls) => {
            let calls = calls.iter().enumerate().map(|(index, (name, arguments))| {
                let function = json!({ "name": name, "arguments": arguments.to_string() });
                json!({ "id": format!("call_{number}_{index}"), "type": "function", "function": function })
            });
            let calls: Vec<_> = calls.collect();
            open_ai_answer(&json!({ "role": "assistant", "content": null, "tool_calls": calls }), "tool_calls")
        }
        Said::Failure(status, message) => {
            let error = json!({ "message": message, "type": "error", "param": null, "code": null });
            Answer::Json(status, json!({ "error": error }))
        }
        Said::Raw(answer) => Answer::Json(200, answer),
        Said::RawFailure(status, answer) => Answer::Json(status, answer),
    })
}

/// Anthropic's API, with the key `sk-test`, which says these things in turn.
pub fn anthropic(script: Vec<Said>) -> Api {
    play(script, check_anthropic, |said, number| match said {
        Said::Text(text) => anthropic_answer(&json!([{ "type": "text", "text": text }]), "end_turn"),
        Said::Calls(calls) => {
            // A thought comes first, signed: it must come back as it is.
            let mut parts = vec![json!({ "type": "thinking", "thinking": "well…", "signature": format!("s{number}") })];
            parts.extend(calls.iter().enumerate().map(|(index, (name, arguments))| {
                json!({ "type": "tool_use", "id": format!("toolu_{number}_{index}"), "name": name, "input": arguments })
            }));
            anthropic_answer(&parts.into(), "tool_use")
        }
        Said::Failure(status, message) => {
            Answer::Json(status, json!({ "type": "error", "error": { "type": "some_error", "message": message } }))
        }
        Said::Raw(answer) => Answer::Json(200, answer),
        Said::RawFailure(status, answer) => Answer::Json(status, answer),
    })
}

fn play(
    script: Vec<Said>,
    check: fn(&Request) -> Result<(), (u16, String)>,
    write: impl Fn(Said, usize) -> Answer + Send + Sync + 'static,
) -> Api {
    let script = Mutex::new(script.into_iter().enumerate());
    Api::start(move |request| {
        if let Err((status, message)) = check(request) {
            return Answer::Json(status, json!({ "error": { "type": "invalid_request_error", "message": message } }));
        }
        match script.lock().unwrap_or_else(PoisonError::into_inner).next() {
            Some((number, said)) => write(said, number),
            None => Answer::Json(500, json!({ "error": { "message": "the script has come to its end" } })),
        }
    })
}

fn open_ai_answer(message: &Value, reason: &str) -> Answer {
    let choice = json!({ "index": 0, "message": message, "finish_reason": reason });
    Answer::Json(200, json!({ "id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice] }))
}

fn anthropic_answer(content: &Value, reason: &str) -> Answer {
    let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                          "stop_reason": reason, "stop_sequence": null, "usage": usage });
    Answer::Json(200, message)
}

fn check_open_ai(request: &Request) -> Result<(), (u16, String)> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    if request.path != "/v1/chat/completions" {
        return Err((404, format!("no such path: {}", request.path)));
    }
    if header("authorization") != Some(&format!("Bearer {KEY}")) {
        return Err((401, "Incorrect API key provided".to_owned()));
    }
    let bad = |message: &str| Err((400, message.to_owned()));
    let (body, messages) = (&request.body, request.body["messages"].as_array());
    if !body["model"].is_string() || messages.is_none_or(Vec::is_empty) {
        return bad("`model` and `messages` are required");
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let function = &tool["function"];
        if tool["type"] != "function" || !function["name"].is_string() || function["parameters"]["type"] != "object" {
            return bad("a tool is no function with parameters");
        }
    }
    let mut open = BTreeSet::new();
    for message in messages.into_iter().flatten() {
        let answers = message["tool_call_id"].as_str().filter(|_| message["role"] == "tool");
        match answers {
            Some(id) if open.remove(id) && message["content"].is_string() => continue,
            Some(_) => return bad("a tool message must follow the `tool_calls` that it answers"),
            None if !open.is_empty() => return bad("`tool_calls` must be followed by a tool message for each"),
            None => {}
        }
        let is_text = message["content"].is_string() || message["tool_calls"].is_array();
        if !is_text || !matches!(message["role"].as_str(), Some("system" | "user" | "assistant")) {
            return bad("a message must have a role and a content");
        }
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        open.extend(calls.filter_map(|call| call["id"].as_str()));
    }
    if open.is_empty() { Ok(()) } else { bad("`tool_calls` must be followed by a tool message for each") }
}

fn check_anthropic(request: &Request) -> Result<(), (u16, String)> {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    if request.path != "/v1/messages" {
        return Err((404, format!("no such path: {}", request.path)));
    }
    if header("x-api-key") != Some(KEY) {
        return Err((401, "invalid x-api-key".to_owned()));
    }
    let bad = |message: &str| Err((400, message.to_owned()));
    if header("anthropic-version") != Some("2023-06-01") {
        return bad("anthropic-version: header is required");
    }
    let (body, messages) = (&request.body, request.body["messages"].as_array());
    if !body["model"].is_string() || !body["max_tokens"].is_u64() || messages.is_none_or(Vec::is_empty) {
        return bad("model, max_tokens, messages: Field required");
    }
    if body["tools"].as_array().into_iter().flatten().any(|tool| tool["input_schema"]["type"] != "object") {
        return bad("tools.0.input_schema.type: Field required");
    }
    let mut open = BTreeSet::new();
    for (number, message) in messages.into_iter().flatten().enumerate() {
        let parts = message["content"].as_array();
        let ids = |kind: &str, id: &str| -> BTreeSet<&str> {
            let parts = parts.into_iter().flatten().filter(|part| part["type"] == kind);
            parts.filter_map(|part| part[id].as_str()).collect()
        };
        if parts.is_none() && !message["content"].is_string() {
            return bad("messages: content is required");
        }
        if !matches!((message["role"].as_str(), number), (Some("user"), _) | (Some("assistant"), 1..)) {
            return bad("messages: the first must be the user's, and nobody else speaks but the assistant");
        }
        if ids("tool_result", "tool_use_id") != open {
            return bad("each `tool_use` must have a `tool_result` in the next message");
        }
        let signatures = ids("thinking", "signature");
        open = ids("tool_use", "id");
        if !open.is_empty() && signatures.len() != 1 {
            return bad("the `thinking` block must come back unchanged");
        }
    }
    if open.is_empty() { Ok(()) } else { bad("each `tool_use` must have a `tool_result` in the next message") }
}
