//! Anthropic's Messages.
//!
//! <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>

use async_trait::async_trait;
use gateway_core::{RawJson, Result, Secret};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::chat_model::{ChatModel, ChatReply, ChatRequest, Usage};
use crate::error;

/// The version of the API that this is written for.
const VERSION: &str = "2023-06-01";

/// How a model behind Anthropic's Messages is reached.
#[derive(Clone, Debug)]
pub struct AnthropicModelConfig {
    /// Where the API begins: `https://api.anthropic.com`.
    pub base_url: String,
    /// The key.
    pub api_key: Secret,
    /// The model's name. Structured outputs came with the models 4.5.
    pub model: String,
    /// Whether the model may think as it does by default. Some models cannot be told not to, and refuse requests that
    /// try; thoughts count as output.
    pub may_think: bool,
}

impl AnthropicModelConfig {
    /// Anthropic itself, with its smallest current model, which is told not to think before it answers.
    pub fn new(api_key: Secret) -> Self {
        Self {
            base_url: "https://api.anthropic.com".to_owned(),
            api_key,
            model: "claude-haiku-5-5".to_owned(),
            may_think: false,
        }
    }

    /// Another of the provider's models, thinking as it does by default.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), may_think: true, ..self }
    }
}

/// A model behind Anthropic's Messages.
#[derive(Debug)]
pub struct AnthropicModel {
    api: Api,
    model: String,
    may_think: bool,
}

impl AnthropicModel {
    /// The model that is reached so. Connects to nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest` naming the field that cannot be used.
    pub fn new(config: AnthropicModelConfig) -> Result<Self> {
        let AnthropicModelConfig { base_url, api_key, model, may_think } = config;
        let api = Api::new(&base_url, "/v1/messages")?.with_header("anthropic-version", VERSION).with_key(
            "x-api-key",
            "",
            &api_key,
        )?;
        Ok(Self { api, model, may_think })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    system: &'a str,
    messages: [Said<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    output_config: OutputConfig<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    schema: &'a RawJson,
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Block {
    r#type: String,
    #[serde(default)]
    text: String,
}

/// What was read from a cache, or written to it, is not among `input_tokens`.
#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
}

#[async_trait]
impl ChatModel for AnthropicModel {
    fn name(&self) -> &str {
        &self.model
    }

    async fn complete(&self, request: &ChatRequest) -> Result<ChatReply> {
        let body = Body {
            model: &self.model,
            max_tokens: request.max_output_tokens,
            system: request.system,
            messages: [Said { role: "user", content: &request.user }],
            thinking: (!self.may_think).then_some(Thinking { r#type: "disabled" }),
            output_config: OutputConfig { format: Format { r#type: "json_schema", schema: &request.schema } },
        };
        reply(&self.api.post(&body).await?)
    }
}

fn reply(answer: &[u8]) -> Result<ChatReply> {
    let message: Message = serde_json::from_slice(answer).map_err(|_| error::unexpected("it is no message"))?;
    match message.stop_reason.as_deref() {
        Some("max_tokens" | "model_context_window_exceeded") => return Err(error::cut_off()),
        Some("refusal") => return Err(error::declined()),
        _ => {}
    }
    // Thoughts are blocks of another type.
    let texts = message.content.into_iter().filter(|block| block.r#type == "text").map(|block| block.text);
    let text = texts.reduce(|all, next| all + &next).ok_or_else(|| error::unexpected("it has no text"))?;
    let usage = message.usage.map(|counts| Usage {
        input_tokens: counts
            .input_tokens
            .saturating_add(counts.cache_creation_input_tokens.unwrap_or(0))
            .saturating_add(counts.cache_read_input_tokens.unwrap_or(0)),
        output_tokens: counts.output_tokens,
    });
    Ok(ChatReply { text, usage })
}
