//! Exa's API over HTTP.

use std::env;
use std::time::Duration;

use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;

const BASE_URL: &str = "https://api.exa.ai";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is written by a model, which takes its time.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read, in bytes: what the tools ask for is far shorter.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest message of the API that is passed on, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// How Exa is reached.
pub struct Settings {
    key: Option<String>,
    base_url: String,
    timeout: Duration,
}

/// A client of the API.
#[derive(Debug)]
pub struct Exa {
    http: Client,
    base_url: String,
    /// Absent where there is no key.
    key: Option<HeaderValue>,
}

/// Why there is no answer, in words that a model or a person can act on.
#[derive(Debug, thiserror::Error)]
pub enum ExaError {
    #[error(
        "there is no key for Exa: set EXA_API_KEY where this server is started; https://dashboard.exa.ai/api-keys has one"
    )]
    NoKey,
    #[error("Exa refused the key in EXA_API_KEY: {0}")]
    KeyRefused(String),
    #[error("Exa wants to be paid: the credits or the key's budget are used up ({0})")]
    NoCredit(String),
    #[error("Exa does not allow this with this key: {0}")]
    Forbidden(String),
    #[error("Exa was asked too often; {0}")]
    TooOften(String),
    #[error("Exa does not take the request: {0}")]
    Refused(String),
    #[error("{0}")]
    Invalid(String),
    #[error("Exa has trouble of its own (status {0}); try again later")]
    Trouble(u16),
    #[error("Exa did not answer in time; try again, or ask for less")]
    TimeOut,
    #[error("Exa cannot be reached: {0}")]
    Connection(String),
    #[error("the answer is not one of Exa's: {0}")]
    Unexpected(String),
}

impl Settings {
    /// What the environment says. An empty variable counts as none.
    ///
    /// # Errors
    /// Where a variable cannot be read.
    pub fn from_environment() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let timeout = match variable("EXA_TIMEOUT_SECONDS") {
            Some(text) => {
                let seconds: u64 = text.parse().map_err(|_| "EXA_TIMEOUT_SECONDS is no whole number".to_owned())?;
                Duration::from_secs(seconds)
            }
            None => TIMEOUT,
        };
        let base_url = variable("EXA_BASE_URL").unwrap_or_else(|| BASE_URL.to_owned());
        Ok(Self { key: variable("EXA_API_KEY"), base_url, timeout })
    }
}

impl Exa {
    /// A client with these settings.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let Settings { key, base_url, timeout } = settings;
        // An error means that there is one already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // The key must not follow a redirection.
            .redirect(Policy::none())
            .user_agent(concat!("exa-server/", env!("CARGO_PKG_VERSION")));
        let http = client.build().map_err(|error| error.to_string())?;
        let key = key.map(|key| {
            let mut key =
                HeaderValue::try_from(key).map_err(|_| "EXA_API_KEY cannot be sent in a header".to_owned())?;
            key.set_sensitive(true);
            Ok::<_, String>(key)
        });
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), key: key.transpose()? })
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// Any of [`ExaError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ExaError> {
        let key = self.key.as_ref().ok_or(ExaError::NoKey)?;
        let request = self.http.post(format!("{}{path}", self.base_url)).header("x-api-key", key).json(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = serde_json::from_slice::<Value>(&read(response).await?);
        match status {
            200..300 => answer.map_err(|error| ExaError::Unexpected(error.to_string())),
            _ => Err(refusal(status, &message(&answer.unwrap_or_default()), retry_after)),
        }
    }
}

/// The body, where it is not too long.
async fn read(mut response: Response) -> Result<Vec<u8>, ExaError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(ExaError::Unexpected("it is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the API says about a failure: `{"requestId": …, "error": "…", "tag": "…"}`.
fn message(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str();
    let message = text("error").or(text("message")).unwrap_or("it does not say why");
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    match text("tag") {
        Some(tag) => format!("{message} ({tag})"),
        None => message,
    }
}

fn refusal(status: u16, message: &str, retry_after: Option<String>) -> ExaError {
    let message = message.to_owned();
    match status {
        401 => ExaError::KeyRefused(message),
        402 => ExaError::NoCredit(message),
        403 => ExaError::Forbidden(message),
        429 => ExaError::TooOften(match retry_after {
            Some(seconds) => format!("try again in {seconds} seconds"),
            None => "wait a moment, and try again".to_owned(),
        }),
        500.. => ExaError::Trouble(status),
        _ => ExaError::Refused(message),
    }
}

impl From<reqwest::Error> for ExaError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimeOut;
        }
        // The innermost cause is the one that helps: "connection refused".
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Connection(cause.to_string())
    }
}
