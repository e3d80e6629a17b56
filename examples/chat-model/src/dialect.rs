//! How a provider writes a conversation.

use std::fmt::Debug;

use reqwest::RequestBuilder;
use serde_json::Value;

use crate::{Call, Conversation, Function, ModelError};

/// What a model said: an answer, or calls to make before it goes on.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Its text; may be empty where there are calls.
    pub text: String,
    /// The calls that it waits for; none where it is done.
    pub calls: Vec<Call>,
    /// Whether it was cut off because it is longer than allowed.
    pub is_cut_off: bool,
    /// All of it, as its provider wrote it.
    pub message: Value,
}

/// One provider's API. It knows no HTTP but the header for its key.
pub(crate) trait Dialect: Debug + Send + Sync {
    /// Where requests go, after the base URL.
    fn path(&self) -> &'static str;

    /// The request with the key in it.
    fn sign(&self, request: RequestBuilder, key: &str) -> RequestBuilder;

    /// The body of a request.
    fn body(&self, model: &str, conversation: &Conversation, functions: &[Function]) -> Value;

    /// The same body in other words, where the API refused it with this error and it can be helped.
    fn amended(&self, _body: &Value, _error: &Value) -> Option<Value> {
        None
    }

    /// Reads what the model said.
    fn turn(&self, answer: &Value) -> Result<Turn, ModelError>;
}
