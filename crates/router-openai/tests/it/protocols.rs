//! What each provider is sent, to the letter, and what is read of its answer.

use gateway_core::{ErrorKind, RawJson, Retry, Secret};
use router_openai::{
    AnthropicModel, AnthropicModelConfig, ChatModel, ChatReply, ChatRequest, GeminiModel, GeminiModelConfig, KeyHeader,
    OpenAiModel, OpenAiModelConfig, TokenLimit, Usage,
};
use serde_json::{Value, json};

use crate::fake_api::{Answer, FakeApi, Received};

pub const KEY: &str = "sk-hunter2";

pub fn key() -> Secret {
    Secret::new(KEY)
}

pub fn open_ai(url: &str) -> OpenAiModel {
    OpenAiModel::new(OpenAiModelConfig { base_url: format!("{url}/v1"), ..OpenAiModelConfig::new(key()) })
        .expect("settings that can be used")
}

pub fn anthropic(url: &str) -> AnthropicModel {
    AnthropicModel::new(AnthropicModelConfig { base_url: url.to_owned(), ..AnthropicModelConfig::new(key()) })
        .expect("settings that can be used")
}

pub fn gemini(url: &str) -> GeminiModel {
    GeminiModel::new(GeminiModelConfig { base_url: format!("{url}/v1beta"), ..GeminiModelConfig::new(key()) })
        .expect("settings that can be used")
}

/// An answer of OpenAI that says `text`.
pub fn open_ai_says(text: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": "gpt-6-luna-2026",
        "choices": [{
            "index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []},
        }],
        "usage": {"prompt_tokens": 70, "completion_tokens": 9, "total_tokens": 79, "prompt_tokens_details": {}},
    })
}

/// An answer of Anthropic that says `text`.
pub fn anthropic_says(text: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-5-5",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {
            "input_tokens": 40, "output_tokens": 9,
            "cache_creation_input_tokens": 20, "cache_read_input_tokens": 10,
        },
    })
}

/// An answer of Gemini that says `text`, in two parts.
pub fn gemini_says(text: &str) -> Value {
    let (one, two) = text.split_at(text.len() / 2);
    json!({
        "candidates": [{
            "content": {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": one}, {"text": two}]},
            "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 70, "candidatesTokenCount": 4, "thoughtsTokenCount": 5, "totalTokenCount": 79,
        },
        "modelVersion": "gemini-3.5-flash-lite", "responseId": "r",
    })
}

fn request() -> ChatRequest {
    let schema = RawJson::parse(r#"{"type":"object","properties":{}}"#).expect("JSON");
    ChatRequest { system: "Be brief.", user: "Hi \"you\"\n".to_owned(), schema, max_output_tokens: 123 }
}

async fn ask(model: &dyn ChatModel, api: &FakeApi) -> (gateway_core::Result<ChatReply>, Received) {
    let reply = model.complete(&request()).await;
    let received = api.received().last().expect("a request").clone();
    assert_eq!(received.method, "POST");
    assert_eq!(received.headers["content-type"], "application/json");
    (reply, received)
}

/// Checks the headers that only this provider gets.
fn assert_signed(received: &Received, expected: &[(&str, &str)]) {
    const OURS: [&str; 6] = ["host", "content-type", "content-length", "accept", "user-agent", "connection"];
    let headers = received.headers.iter().filter(|(name, _)| !OURS.contains(&&***name));
    let headers: Vec<_> = headers.map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(headers, expected);
}

fn said() -> ChatReply {
    ChatReply { text: r#"{"a":1}"#.to_owned(), usage: Some(Usage { input_tokens: 70, output_tokens: 9 }) }
}

#[tokio::test]
async fn open_ai_is_asked_for_a_chat_completion() {
    let api = FakeApi::start(vec![Answer::ok(&open_ai_says(r#"{"a":1}"#))]).await;
    let model = open_ai(&api.url);
    let (reply, received) = ask(&model, &api).await;
    assert_eq!(reply.expect("a reply"), said());
    assert_eq!(model.name(), "gpt-6-luna");
    assert_eq!(received.target, "/v1/chat/completions");
    assert_signed(&received, &[("authorization", "Bearer sk-hunter2")]);
    let schema = json!({"type": "object", "properties": {}});
    assert_eq!(
        received.body,
        json!({
            "model": "gpt-6-luna",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi \"you\"\n"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": schema},
            },
            "max_completion_tokens": 123,
            "reasoning_effort": "none",
        })
    );
}

#[tokio::test]
async fn of_another_model_nothing_is_taken_for_granted() {
    let api = FakeApi::start(vec![Answer::ok(&open_ai_says("x"))]).await;
    let config = OpenAiModelConfig { base_url: api.url.clone(), ..OpenAiModelConfig::new(key()) };
    let model = OpenAiModel::new(config.with_model("gpt-4.1-mini")).expect("settings that can be used");
    let (_, received) = ask(&model, &api).await;
    let keys: Vec<_> = received.body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["max_completion_tokens", "messages", "model", "response_format"]);
    assert_eq!(received.body["model"], "gpt-4.1-mini");
}

#[tokio::test]
async fn a_compatible_server_is_asked_in_older_words_and_without_a_key() {
    let api = FakeApi::start(vec![Answer::ok(&open_ai_says(r#"{"a":1}"#))]).await;
    let config = OpenAiModelConfig::compatible(format!("{}/v1/", api.url), "qwen3:4b", None);
    let model = OpenAiModel::new(config).expect("settings that can be used");
    let (reply, received) = ask(&model, &api).await;
    assert_eq!(reply.expect("a reply"), said());
    assert_eq!(received.target, "/v1/chat/completions");
    assert_signed(&received, &[]);
    let keys: Vec<_> = received.body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["max_tokens", "messages", "model", "response_format"]);
    assert_eq!((&received.body["model"], &received.body["max_tokens"]), (&json!("qwen3:4b"), &json!(123)));
}

#[tokio::test]
async fn azure_is_asked_by_deployment_and_version() {
    let api = FakeApi::start(vec![Answer::ok(&open_ai_says(r#"{"a":1}"#))]).await;
    let config = OpenAiModelConfig::azure(format!("{}/", api.url), "my-gpt", "2024-10-21", key());
    let model = OpenAiModel::new(config).expect("settings that can be used");
    let (reply, received) = ask(&model, &api).await;
    assert_eq!(reply.expect("a reply"), said());
    assert_eq!(received.target, "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21");
    assert_signed(&received, &[("api-key", "sk-hunter2")]);
    assert_eq!(received.body["max_completion_tokens"], 123);
    // The API without versions.
    let config = OpenAiModelConfig {
        key_header: KeyHeader::ApiKey,
        token_limit: TokenLimit::MaxCompletionTokens,
        ..OpenAiModelConfig::compatible(format!("{}/openai/v1", api.url), "my-gpt", Some(key()))
    };
    let (_, received) = ask(&OpenAiModel::new(config).expect("settings that can be used"), &api).await;
    assert_eq!(received.target, "/openai/v1/chat/completions");
    assert_signed(&received, &[("api-key", "sk-hunter2")]);
}

#[tokio::test]
async fn anthropic_is_asked_for_a_message() {
    let api = FakeApi::start(vec![Answer::ok(&anthropic_says(r#"{"a":1}"#))]).await;
    let model = anthropic(&api.url);
    let (reply, received) = ask(&model, &api).await;
    assert_eq!(reply.expect("a reply"), said());
    assert_eq!(model.name(), "claude-haiku-5-5");
    assert_eq!(received.target, "/v1/messages");
    assert_signed(&received, &[("anthropic-version", "2023-06-01"), ("x-api-key", "sk-hunter2")]);
    let schema = json!({"type": "object", "properties": {}});
    let mut expected = json!({
        "model": "claude-haiku-5-5",
        "max_tokens": 123,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi \"you\"\n"}],
        "thinking": {"type": "disabled"},
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    });
    assert_eq!(received.body, expected);
    let thinker = AnthropicModelConfig { base_url: api.url.clone(), ..AnthropicModelConfig::new(key()) };
    let thinker = thinker.with_model("claude-opus-5-5");
    let (_, received) = ask(&AnthropicModel::new(thinker).expect("settings that can be used"), &api).await;
    let fields = expected.as_object_mut().expect("an object");
    fields.remove("thinking");
    fields["model"] = json!("claude-opus-5-5");
    assert_eq!(received.body, expected);
}

#[tokio::test]
async fn gemini_is_asked_to_generate_content() {
    let api = FakeApi::start(vec![Answer::ok(&gemini_says(r#"{"a":1}"#))]).await;
    let model = gemini(&api.url);
    let (reply, received) = ask(&model, &api).await;
    assert_eq!(reply.expect("a reply"), said());
    assert_eq!(model.name(), "gemini-3.5-flash-lite");
    assert_eq!(received.target, "/v1beta/models/gemini-3.5-flash-lite:generateContent");
    assert_signed(&received, &[("x-goog-api-key", "sk-hunter2")]);
    let schema = json!({"type": "object", "properties": {}});
    let mut expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "Hi \"you\"\n"}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": schema,
            "maxOutputTokens": 123,
        },
    });
    assert_eq!(received.body, expected);
    let tuned = GeminiModelConfig {
        base_url: api.url.clone(),
        model: "tunedModels/mine".to_owned(),
        thinking_level: Some("low".to_owned()),
        ..GeminiModelConfig::new(key())
    };
    let (_, received) = ask(&GeminiModel::new(tuned).expect("settings that can be used"), &api).await;
    assert_eq!(received.target, "/tunedModels/mine:generateContent");
    expected["generationConfig"]["thinkingConfig"] = json!({"thinkingLevel": "low"});
    assert_eq!(received.body, expected);
}

#[tokio::test]
async fn answers_that_are_none_say_whose_fault_it_is() {
    fn with(mut answer: Value, pointer: &str, value: Value) -> Value {
        *answer.pointer_mut(pointer).expect("a field of the answer") = value;
        answer
    }
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}});
    let (request, provider) = (ErrorKind::InvalidArguments, ErrorKind::UpstreamFailed);
    for (name, answer, kind) in [
        ("openai", with(open_ai_says("{"), "/choices/0/finish_reason", json!("length")), ErrorKind::TooLarge),
        ("openai", with(open_ai_says(""), "/choices/0/finish_reason", json!("content_filter")), request),
        ("openai", with(open_ai_says(""), "/choices/0/message/refusal", json!("hunter2: no")), request),
        ("openai", with(open_ai_says(""), "/choices/0/message/content", json!(null)), provider),
        ("openai", with(open_ai_says(""), "/choices", json!([])), provider),
        ("openai", with(open_ai_says(""), "/choices", json!({"x": 1})), provider),
        ("openai", json!({"error": "hunter2"}), provider),
        ("openai", json!([]), provider),
        ("anthropic", with(anthropic_says("{"), "/stop_reason", json!("max_tokens")), ErrorKind::TooLarge),
        ("anthropic", with(anthropic_says("{"), "/stop_reason", json!("refusal")), request),
        ("anthropic", with(anthropic_says("{"), "/content", json!([])), provider),
        ("anthropic", with(anthropic_says("{"), "/content", json!("hunter2")), provider),
        ("anthropic", with(anthropic_says("{"), "/content", json!([{"type": "thinking", "thinking": "{}"}])), provider),
        ("gemini", with(gemini_says("{"), "/candidates/0/finishReason", json!("MAX_TOKENS")), ErrorKind::TooLarge),
        ("gemini", with(gemini_says("{"), "/candidates/0/finishReason", json!("SAFETY")), request),
        ("gemini", blocked, request),
        ("gemini", with(gemini_says("{"), "/candidates", json!([])), provider),
        ("gemini", with(gemini_says("{"), "/candidates/0/content", json!({})), provider),
    ] {
        let api = FakeApi::start(vec![Answer::ok(&answer)]).await;
        let model: Box<dyn ChatModel> = match name {
            "openai" => Box::new(open_ai(&api.url)),
            "anthropic" => Box::new(anthropic(&api.url)),
            _ => Box::new(gemini(&api.url)),
        };
        let error = ask(&*model, &api).await.0.expect_err(name);
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{name}: {answer}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn usage_may_be_missing() {
    let mut answer = open_ai_says("x");
    answer.as_object_mut().expect("an object").remove("usage");
    let api = FakeApi::start(vec![Answer::ok(&answer)]).await;
    assert_eq!(ask(&open_ai(&api.url), &api).await.0.expect("a reply").usage, None);
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    let open_ai = |change: fn(&mut OpenAiModelConfig)| {
        let mut config = OpenAiModelConfig::new(key());
        change(&mut config);
        OpenAiModel::new(config).expect_err("it cannot be used")
    };
    let gemini = GeminiModel::new(GeminiModelConfig { model: "../x?y".to_owned(), ..GeminiModelConfig::new(key()) });
    for (error, field) in [
        (open_ai(|config| config.base_url = "api.openai.com".to_owned()), "`base_url`"),
        (open_ai(|config| config.api_key = Some(Secret::new("sk-hunter2\n"))), "`api_key`"),
        (open_ai(|config| config.api_version = Some("1&x=2".to_owned())), "`api_version`"),
        (gemini.expect_err("it cannot be used"), "`model`"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(field) && !error.message().contains("hunter2"), "{error}");
    }
}
