//! OpenAI's Chat Completions, which many others speak: Azure, vLLM, Ollama, llama.cpp and so on.
//!
//! <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference>

use async_trait::async_trait;
use gateway_core::{RawJson, Result, Secret};
use serde::{Deserialize, Serialize};

use crate::api::{Api, check_url_part};
use crate::chat_model::{ChatModel, ChatReply, ChatRequest, Usage};
use crate::error;

/// How a model behind Chat Completions is reached.
#[derive(Clone, Debug)]
pub struct OpenAiModelConfig {
    /// Where the API begins: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; servers of one's own often want none.
    pub api_key: Option<Secret>,
    /// The header that carries it.
    pub key_header: KeyHeader,
    /// Azure's `api-version`, a query parameter of its paths with a deployment in them.
    pub api_version: Option<String>,
    /// The model's name; behind Azure that of the deployment.
    pub model: String,
    /// `reasoning_effort`, for models that think: `none`, `low`, … Not sent where `None`, since models that do not think
    /// refuse it.
    pub reasoning_effort: Option<String>,
    /// What the limit of the answer's length is called.
    pub token_limit: TokenLimit,
}

/// The header with the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    #[default]
    Bearer,
    /// `api-key: …`: Azure.
    ApiKey,
}

/// The parameter that limits an answer's length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenLimit {
    /// `max_completion_tokens`: OpenAI and Azure.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`, the old name, which servers of one's own know.
    MaxTokens,
}

impl OpenAiModelConfig {
    /// OpenAI itself, with its smallest current model, which is told not to think before it answers.
    pub fn new(api_key: Secret) -> Self {
        Self {
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key: Some(api_key),
            key_header: KeyHeader::Bearer,
            api_version: None,
            model: "gpt-6-luna".to_owned(),
            reasoning_effort: Some("none".to_owned()),
            token_limit: TokenLimit::MaxCompletionTokens,
        }
    }

    /// Another of the provider's models, thinking as it does by default: models differ in what they can be told about it,
    /// and refuse what they do not know. Thoughts count as output.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), reasoning_effort: None, ..self }
    }

    /// A compatible server at `base_url`, such as `http://localhost:11434/v1` (Ollama) or `http://localhost:8000/v1`
    /// (vLLM).
    pub fn compatible(base_url: impl Into<String>, model: impl Into<String>, api_key: Option<Secret>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key,
            key_header: KeyHeader::Bearer,
            api_version: None,
            model: model.into(),
            reasoning_effort: None,
            token_limit: TokenLimit::MaxTokens,
        }
    }

    /// A deployment of Azure OpenAI at `endpoint`, such as `https://name.openai.azure.com`, by the paths that have an
    /// `api-version`. (Azure's newer API needs none: `compatible` with `…/openai/v1` and [`KeyHeader::ApiKey`].)
    pub fn azure(
        endpoint: impl AsRef<str>,
        deployment: impl Into<String>,
        api_version: impl Into<String>,
        api_key: Secret,
    ) -> Self {
        let deployment = deployment.into();
        Self {
            base_url: format!("{}/openai/deployments/{deployment}", endpoint.as_ref().trim_end_matches('/')),
            api_key: Some(api_key),
            key_header: KeyHeader::ApiKey,
            api_version: Some(api_version.into()),
            model: deployment,
            reasoning_effort: None,
            token_limit: TokenLimit::MaxCompletionTokens,
        }
    }
}

/// A model behind Chat Completions.
#[derive(Debug)]
pub struct OpenAiModel {
    api: Api,
    model: String,
    reasoning_effort: Option<String>,
    token_limit: TokenLimit,
}

impl OpenAiModel {
    /// The model that is reached so. Connects to nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest` naming the field that cannot be used.
    pub fn new(config: OpenAiModelConfig) -> Result<Self> {
        let OpenAiModelConfig { base_url, api_key, key_header, api_version, model, reasoning_effort, token_limit } =
            config;
        let path = match &api_version {
            Some(version) => {
                check_url_part("api_version", version)?;
                format!("/chat/completions?api-version={version}")
            }
            None => "/chat/completions".to_owned(),
        };
        let mut api = Api::new(&base_url, &path)?;
        if let Some(key) = &api_key {
            api = match key_header {
                KeyHeader::Bearer => api.with_key("authorization", "Bearer ", key)?,
                KeyHeader::ApiKey => api.with_key("api-key", "", key)?,
            };
        }
        Ok(Self { api, model, reasoning_effort, token_limit })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Said<'a>; 2],
    response_format: ResponseFormat<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a RawJson,
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[async_trait]
impl ChatModel for OpenAiModel {
    fn name(&self) -> &str {
        &self.model
    }

    async fn complete(&self, request: &ChatRequest) -> Result<ChatReply> {
        let limit = |named| (self.token_limit == named).then_some(request.max_output_tokens);
        let body = Body {
            model: &self.model,
            messages: [Said { role: "system", content: request.system }, Said { role: "user", content: &request.user }],
            response_format: ResponseFormat {
                r#type: "json_schema",
                json_schema: JsonSchema { name: "answer", strict: true, schema: &request.schema },
            },
            max_completion_tokens: limit(TokenLimit::MaxCompletionTokens),
            max_tokens: limit(TokenLimit::MaxTokens),
            reasoning_effort: self.reasoning_effort.as_deref(),
        };
        reply(&self.api.post(&body).await?)
    }
}

fn reply(answer: &[u8]) -> Result<ChatReply> {
    let completion: Completion =
        serde_json::from_slice(answer).map_err(|_| error::unexpected("it is no chat completion"))?;
    let choice = completion.choices.into_iter().next().ok_or_else(|| error::unexpected("it has no choice"))?;
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(error::cut_off()),
        Some("content_filter") => return Err(error::declined()),
        _ if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) => return Err(error::declined()),
        _ => {}
    }
    let text = choice.message.content.ok_or_else(|| error::unexpected("its message has no content"))?;
    let usage = completion
        .usage
        .map(|counts| Usage { input_tokens: counts.prompt_tokens, output_tokens: counts.completion_tokens });
    Ok(ChatReply { text, usage })
}
