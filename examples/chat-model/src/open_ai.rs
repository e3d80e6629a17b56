//! OpenAI's Chat Completions, which many others speak as well (Ollama, vLLM, llama.cpp, Gemini, …).

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::dialect::{Dialect, Turn};
use crate::{Call, Conversation, Function, Message, ModelError};

#[derive(Debug)]
pub(crate) struct OpenAi;

impl Dialect for OpenAi {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn sign(&self, request: RequestBuilder, key: &str) -> RequestBuilder {
        request.bearer_auth(key)
    }

    fn body(&self, model: &str, conversation: &Conversation, functions: &[Function]) -> Value {
        let mut messages = Vec::new();
        if !conversation.system.is_empty() {
            messages.push(json!({ "role": "system", "content": conversation.system }));
        }
        messages.extend(conversation.messages.iter().flat_map(written));
        let mut body = json!({ "model": model, "messages": messages });
        if !functions.is_empty() {
            body["tools"] = functions.iter().map(declared).collect();
        }
        if let Some(max_tokens) = conversation.max_tokens {
            body["max_completion_tokens"] = json!(max_tokens);
        }
        body
    }

    /// Some models refuse to think and to call functions in one request of this API; others do not know the
    /// parameter that turns thinking off. So it is sent when the API asks for it.
    fn amended(&self, body: &Value, error: &Value) -> Option<Value> {
        let is_about_thinking = error["error"]["param"] == "reasoning_effort" && body.get("reasoning_effort").is_none();
        is_about_thinking.then(|| {
            let mut body = body.clone();
            body["reasoning_effort"] = json!("none");
            body
        })
    }

    fn turn(&self, answer: &Value) -> Result<Turn, ModelError> {
        let choice = &answer["choices"][0];
        let message = &choice["message"];
        if !message.is_object() {
            return Err(ModelError::Unexpected("it has no message".to_owned()));
        }
        if let Some(refusal) = message["refusal"].as_str() {
            return Err(ModelError::Declined(refusal.to_owned()));
        }
        let reason = choice["finish_reason"].as_str().unwrap_or_default();
        if reason == "content_filter" {
            return Err(ModelError::Declined("its filter stopped it".to_owned()));
        }
        let calls = message["tool_calls"].as_array().into_iter().flatten().map(call).collect();
        let text = message["content"].as_str().unwrap_or_default().to_owned();
        Ok(Turn { text, calls, is_cut_off: reason == "length", message: message.clone() })
    }
}

/// One message for each result, one for everything else.
fn written(message: &Message) -> Vec<Value> {
    match message {
        Message::User(text) => vec![json!({ "role": "user", "content": text })],
        Message::Model(message) => vec![message.clone()],
        Message::Results(results) => {
            let result = results.iter().map(|result| {
                // There is no field for a failure, so that the text must say it.
                let content = match &result.outcome {
                    Ok(text) => text.clone(),
                    Err(why) => format!("error: {why}"),
                };
                json!({ "role": "tool", "tool_call_id": result.id, "content": content })
            });
            result.collect()
        }
    }
}

fn declared(function: &Function) -> Value {
    let Function { name, description, parameters } = function;
    let function = json!({ "name": name, "description": description, "parameters": parameters });
    json!({ "type": "function", "function": function })
}

fn call(call: &Value) -> Call {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let function = &call["function"];
    // The arguments are JSON in a text, which the model may have got wrong; none are an empty text with some.
    let arguments = match function["arguments"].as_str().map(str::trim) {
        None | Some("") => json!({}),
        Some(arguments) => serde_json::from_str(arguments).unwrap_or_default(),
    };
    Call { id: text(&call["id"]), name: text(&function["name"]), arguments }
}
