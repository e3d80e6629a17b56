//! The model.

use std::env;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::anthropic::Anthropic;
use crate::dialect::{Dialect, Turn};
use crate::open_ai::OpenAi;
use crate::{Conversation, Function, ModelError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A model that thinks takes its time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// Who offers a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// OpenAI, or whoever speaks its Chat Completions.
    OpenAi,
    /// Anthropic.
    Anthropic,
}

/// How a model is reached.
#[derive(Clone)]
pub struct Access {
    /// Where the API begins: `https://api.openai.com/v1`, `https://api.anthropic.com`.
    pub base_url: String,
    /// The API key.
    pub key: String,
    /// The model's name.
    pub model: String,
}

/// A language model that calls functions.
#[derive(Debug)]
pub struct ChatModel {
    http: Client,
    dialect: Box<dyn Dialect>,
    access: Access,
}

impl Provider {
    /// What the names of its variables begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI",
            Self::Anthropic => "ANTHROPIC",
        }
    }

    fn base_url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com",
        }
    }

    /// Names of models come and go; `--model` and `…_MODEL` name another one.
    fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-6-luna",
            Self::Anthropic => "claude-sonnet-5",
        }
    }

    /// `OPENAI_API_KEY` and the like; an empty variable counts as none.
    fn variable(self, name: &str) -> Option<String> {
        env::var(format!("{}_{name}", self.prefix())).ok().filter(|value| !value.is_empty())
    }
}

impl ChatModel {
    /// The model that the environment names: `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, with `…_BASE_URL` and `…_MODEL`
    /// beside it. `model` names another one. `None` where there is no key; where there are both, OpenAI is asked,
    /// except for a model that is called `claude…`.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] where the settings cannot be used.
    pub fn from_environment(model: Option<&str>) -> Result<Option<Self>, ModelError> {
        let is_claude = model.is_some_and(|model| model.starts_with("claude"));
        let providers = match is_claude {
            true => [Provider::Anthropic, Provider::OpenAi],
            false => [Provider::OpenAi, Provider::Anthropic],
        };
        let found = providers.iter().find_map(|provider| Some((*provider, provider.variable("API_KEY")?)));
        let Some((provider, key)) = found else { return Ok(None) };
        let model = model.map(str::to_owned).or_else(|| provider.variable("MODEL"));
        let access = Access {
            base_url: provider.variable("BASE_URL").unwrap_or_else(|| provider.base_url().to_owned()),
            key,
            model: model.unwrap_or_else(|| provider.model().to_owned()),
        };
        Self::new(provider, access).map(Some)
    }

    /// The model of `provider` that is reached so.
    ///
    /// # Errors
    /// [`ModelError::Invalid`] where it cannot be.
    pub fn new(provider: Provider, access: Access) -> Result<Self, ModelError> {
        // An error means that the program has chosen its cryptography already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // The key must not follow a redirection.
            .redirect(Policy::none());
        let http = client.build().map_err(|error| ModelError::Invalid(error.to_string()))?;
        let dialect: Box<dyn Dialect> = match provider {
            Provider::OpenAi => Box::new(OpenAi),
            Provider::Anthropic => Box::new(Anthropic),
        };
        let base_url = access.base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, dialect, access: Access { base_url, ..access } })
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.access.model
    }

    /// Asks what comes next. The conversation stays as it is.
    ///
    /// # Errors
    /// Any of [`ModelError`].
    pub async fn turn(&self, conversation: &Conversation, functions: &[Function]) -> Result<Turn, ModelError> {
        let body = self.dialect.body(&self.access.model, conversation, functions);
        let (mut status, mut answer) = self.post(&body).await?;
        if let Some(body) = self.dialect.amended(&body, &answer).filter(|_| status == StatusCode::BAD_REQUEST) {
            (status, answer) = self.post(&body).await?;
        }
        if !status.is_success() {
            return Err(ModelError::refused(status.as_u16(), &answer));
        }
        self.dialect.turn(&answer)
    }

    async fn post(&self, body: &Value) -> Result<(StatusCode, Value), ModelError> {
        let request = self.http.post(format!("{}{}", self.access.base_url, self.dialect.path())).json(body);
        let response = self.dialect.sign(request, &self.access.key).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok((status, answer)),
            // A proxy between may have its own way to say that something is wrong.
            Err(_) if !status.is_success() => Ok((status, Value::Null)),
            Err(error) => Err(ModelError::Unexpected(error.to_string())),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { base_url, model, key: _ } = self;
        formatter.debug_struct("Access").field("base_url", base_url).field("model", model).finish_non_exhaustive()
    }
}
