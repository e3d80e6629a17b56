//! Gemini's generateContent.
//!
//! <https://ai.google.dev/api/generate-content>

use async_trait::async_trait;
use gateway_core::{RawJson, Result, Secret};
use serde::{Deserialize, Serialize};

use crate::api::{Api, check_url_part};
use crate::chat_model::{ChatModel, ChatReply, ChatRequest, Usage};
use crate::error;

/// How a Gemini model is reached.
#[derive(Clone, Debug)]
pub struct GeminiModelConfig {
    /// Where the API begins, its version included: `https://generativelanguage.googleapis.com/v1beta`.
    pub base_url: String,
    /// The key.
    pub api_key: Secret,
    /// The model's name; with a slash in it, such as `tunedModels/mine`, the whole name of the resource.
    pub model: String,
    /// `thinkingLevel`: `minimal`, `low`, … Not sent where `None`: models differ in the levels that they know. Thoughts
    /// count as output.
    pub thinking_level: Option<String>,
}

impl GeminiModelConfig {
    /// Google's API, with its smallest current model, which hardly thinks by default.
    pub fn new(api_key: Secret) -> Self {
        Self {
            base_url: "https://generativelanguage.googleapis.com/v1beta".to_owned(),
            api_key,
            model: "gemini-3.5-flash-lite".to_owned(),
            thinking_level: None,
        }
    }

    /// Another of the provider's models, thinking as it does by default.
    #[must_use]
    pub fn with_model(self, model: impl Into<String>) -> Self {
        Self { model: model.into(), thinking_level: None, ..self }
    }
}

/// A Gemini model.
#[derive(Debug)]
pub struct GeminiModel {
    api: Api,
    model: String,
    thinking_level: Option<String>,
}

impl GeminiModel {
    /// The model that is reached so. Connects to nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest` naming the field that cannot be used.
    pub fn new(config: GeminiModelConfig) -> Result<Self> {
        let GeminiModelConfig { base_url, api_key, model, thinking_level } = config;
        check_url_part("model", &model)?;
        let folder = if model.contains('/') { "" } else { "models/" };
        let api = Api::new(&base_url, &format!("/{folder}{model}:generateContent"))?.with_key(
            "x-goog-api-key",
            "",
            &api_key,
        )?;
        Ok(Self { api, model, thinking_level })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    system_instruction: Content<'a>,
    contents: [Content<'a>; 1],
    generation_config: GenerationConfig<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [Text<'a>; 1],
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    response_mime_type: &'static str,
    response_json_schema: &'a RawJson,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig<'a> {
    thinking_level: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Parts,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Parts {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
    /// A part that the model thought, and did not say.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    #[serde(default)]
    thoughts_token_count: u64,
}

#[async_trait]
impl ChatModel for GeminiModel {
    fn name(&self) -> &str {
        &self.model
    }

    async fn complete(&self, request: &ChatRequest) -> Result<ChatReply> {
        let thinking_config = self.thinking_level.as_deref().map(|thinking_level| ThinkingConfig { thinking_level });
        let body = Body {
            system_instruction: Content { role: None, parts: [Text { text: request.system }] },
            contents: [Content { role: Some("user"), parts: [Text { text: &request.user }] }],
            generation_config: GenerationConfig {
                response_mime_type: "application/json",
                response_json_schema: &request.schema,
                max_output_tokens: request.max_output_tokens,
                thinking_config,
            },
        };
        reply(&self.api.post(&body).await?)
    }
}

fn reply(answer: &[u8]) -> Result<ChatReply> {
    let generated: Generated =
        serde_json::from_slice(answer).map_err(|_| error::unexpected("it is no generated content"))?;
    if generated.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
        return Err(error::declined());
    }
    let candidate = generated.candidates.into_iter().next().ok_or_else(|| error::unexpected("it has no candidate"))?;
    match candidate.finish_reason.as_deref() {
        Some("STOP") | None => {}
        Some("MAX_TOKENS") => return Err(error::cut_off()),
        Some("MALFORMED_RESPONSE" | "OTHER") => return Err(error::unexpected("the model was stopped")),
        // Safety, recitation, block lists and so on: of this one request.
        Some(_) => return Err(error::declined()),
    }
    let texts = candidate.content.parts.into_iter().filter(|part| !part.thought).filter_map(|part| part.text);
    let text = texts.reduce(|all, next| all + &next).ok_or_else(|| error::unexpected("it has no text"))?;
    let usage = generated.usage_metadata.map(|counts| Usage {
        input_tokens: counts.prompt_token_count,
        output_tokens: counts.candidates_token_count.saturating_add(counts.thoughts_token_count),
    });
    Ok(ChatReply { text, usage })
}
