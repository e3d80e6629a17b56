//! What goes wrong.

use serde_json::Value;

/// Longest message of an API that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The API answered that it will not or cannot.
    #[error("the model's API answered {status} ({}): {message}", meaning(*status))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The API was not reached, or the connection broke.
    #[error("the model's API cannot be asked: {0}")]
    Connection(String),
    /// What answered is not the API.
    #[error("the answer is not one of the model's API: {0}")]
    Unexpected(String),
    /// The answer is longer than allowed.
    #[error("the model was cut off: its answer is longer than allowed")]
    TooLong,
    /// The model does not want to.
    #[error("the model declined: {0}")]
    Declined(String),
    /// The model went on calling functions.
    #[error("the model called functions {0} times in a row and was stopped")]
    TooManyRounds(usize),
    /// The settings cannot be used.
    #[error("the model cannot be used: {0}")]
    Invalid(String),
}

impl ModelError {
    /// Reads the body of a failure, which both providers write as `{"error": {"message": …}}`.
    pub(crate) fn refused(status: u16, body: &Value) -> Self {
        let message = body["error"]["message"].as_str().or(body["error"].as_str()).unwrap_or("it does not say why");
        Self::Refused { status, message: message.chars().take(MAX_MESSAGE_CHARS).collect() }
    }
}

impl From<reqwest::Error> for ModelError {
    fn from(error: reqwest::Error) -> Self {
        let what = if error.is_timeout() { "it took too long" } else { "the connection failed" };
        // The innermost cause is the one that helps: "connection refused".
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Connection(format!("{what} ({cause})"))
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => "is the key right?",
        404 => "is the model's name right?",
        429 => "too many requests, or no credit is left",
        500.. => "it has trouble of its own; try again later",
        _ => "it does not take the request",
    }
}
