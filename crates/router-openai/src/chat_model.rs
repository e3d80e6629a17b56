//! The contract with a chat model.

use std::fmt::Debug;

use async_trait::async_trait;
use gateway_core::{RawJson, Result};

/// Answers one request in JSON of a given schema.
#[async_trait]
pub trait ChatModel: Debug + Send + Sync + 'static {
    /// The model's name at its provider. Answers of models with different names are kept apart.
    fn name(&self) -> &str;

    /// Asks the model once: no second attempt, no time limit of its own. Dropping the future abandons the request.
    ///
    /// # Errors
    /// The kind says whose fault it is:
    /// * `RateLimited`, `Unavailable`, `UpstreamTimeout`, `UpstreamFailed`: the provider's. [`Retry::Safe`] where
    ///   another attempt makes sense, with the time that the provider asks for as `retry_after_ms`.
    /// * `Unauthenticated`, `Forbidden`, `NotFound`, `InvalidRequest`: the configuration's: the key, the account, the
    ///   model's name, a parameter that the model does not know.
    /// * `InvalidArguments`, `TooLarge`: of this one request: the model declines it, or was cut off.
    ///
    /// No error shows the key, nor what the request says.
    ///
    /// [`Retry::Safe`]: gateway_core::Retry::Safe
    async fn complete(&self, request: &ChatRequest) -> Result<ChatReply>;
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// What it is told to do.
    pub system: &'static str,
    /// What it is to do it with.
    pub user: String,
    /// The JSON Schema of the answer: an object whose properties are all required.
    pub schema: RawJson,
    /// Most tokens of the answer, what the model thinks to itself included.
    pub max_output_tokens: u32,
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatReply {
    /// JSON of the schema asked for, if the model kept to it.
    pub text: String,
    /// What it cost, where the provider says so.
    pub usage: Option<Usage>,
}

/// Tokens that were paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Those of the request, cached ones included.
    pub input_tokens: u64,
    /// Those of the answer, thoughts included.
    pub output_tokens: u64,
}

impl Usage {
    /// All of them.
    pub fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
