//! Anthropic's Messages.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::dialect::{Dialect, Turn};
use crate::{Call, CallResult, Conversation, Function, Message, ModelError};

/// The version of the API that this is written for.
const VERSION: &str = "2023-06-01";

/// The API wants a limit; this leaves room for thoughts and an answer.
const MAX_TOKENS: u32 = 16_000;

#[derive(Debug)]
pub(crate) struct Anthropic;

impl Dialect for Anthropic {
    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn sign(&self, request: RequestBuilder, key: &str) -> RequestBuilder {
        request.header("x-api-key", key).header("anthropic-version", VERSION)
    }

    fn body(&self, model: &str, conversation: &Conversation, functions: &[Function]) -> Value {
        let messages: Vec<_> = conversation.messages.iter().map(written).collect();
        let max_tokens = conversation.max_tokens.unwrap_or(MAX_TOKENS);
        let mut body = json!({ "model": model, "max_tokens": max_tokens, "messages": messages });
        if !conversation.system.is_empty() {
            body["system"] = json!(conversation.system);
        }
        if !functions.is_empty() {
            body["tools"] = functions.iter().map(declared).collect();
        }
        body
    }

    fn turn(&self, answer: &Value) -> Result<Turn, ModelError> {
        let Some(parts) = answer["content"].as_array() else {
            return Err(ModelError::Unexpected("it has no content".to_owned()));
        };
        let reason = answer["stop_reason"].as_str().unwrap_or_default();
        if reason == "refusal" {
            return Err(ModelError::Declined("it refused to answer".to_owned()));
        }
        let of_type = |kind: &'static str| parts.iter().filter(move |part| part["type"] == kind);
        let text: Vec<_> = of_type("text").filter_map(|part| part["text"].as_str()).collect();
        let calls = of_type("tool_use").map(call).collect();
        // The thoughts among the parts must come back as they are, or the API refuses what follows.
        let message = json!({ "role": "assistant", "content": parts });
        let is_cut_off = matches!(reason, "max_tokens" | "model_context_window_exceeded");
        Ok(Turn { text: text.join("\n"), calls, is_cut_off, message })
    }
}

fn written(message: &Message) -> Value {
    match message {
        Message::User(text) => json!({ "role": "user", "content": text }),
        Message::Model(message) => message.clone(),
        Message::Results(results) => {
            let parts: Vec<_> = results.iter().map(result).collect();
            json!({ "role": "user", "content": parts })
        }
    }
}

fn result(result: &CallResult) -> Value {
    let (content, is_error) = match &result.outcome {
        Ok(text) => (text, false),
        Err(why) => (why, true),
    };
    json!({ "type": "tool_result", "tool_use_id": result.id, "content": content, "is_error": is_error })
}

fn declared(function: &Function) -> Value {
    let Function { name, description, parameters } = function;
    json!({ "name": name, "description": description, "input_schema": parameters })
}

fn call(part: &Value) -> Call {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Call { id: text(&part["id"]), name: text(&part["name"]), arguments: part["input"].clone() }
}
