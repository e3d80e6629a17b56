//! What can be set.

use std::time::Duration;

use gateway_core::Secret;

use crate::calibrate::Calibration;

/// The settings of an [`EmbeddingService`](crate::EmbeddingService).
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// Where the service is, without `/v1/embeddings`: `https://api.openai.com`, `http://localhost:11434`. A `/v1` at
    /// the end is fine.
    pub base_url: String,
    /// The model's name at the service.
    pub model: String,
    /// Sent as `Authorization: Bearer …`; none for services that ask for none.
    pub api_key: Option<Secret>,
    /// How many dimensions to ask for; none for as many as the model has, and for models that give no choice.
    pub dimensions: Option<usize>,
    /// What stands before each query, for models that want to be told, such as `query: `.
    pub query_prefix: String,
    /// What stands before each tool's text, likewise.
    pub document_prefix: String,
    /// How much of a text is sent, in bytes.
    pub max_text_bytes: usize,
    /// How many texts are sent in one request.
    pub batch: usize,
    /// How many requests are under way at once for one set of texts.
    pub concurrency: usize,
    /// How often a request is sent again that failed in a way that may pass.
    pub max_retries: u32,
    /// For one request with tools' texts, from sending to the whole answer.
    pub timeout: Duration,
    /// For a query altogether, with its retries: somebody waits.
    pub query_timeout: Duration,
    /// What the model's cosines mean.
    pub calibration: Calibration,
}

impl ServiceConfig {
    /// The settings for `model` at `base_url`, the rest as it is most often right.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            api_key: None,
            dimensions: None,
            query_prefix: String::new(),
            document_prefix: String::new(),
            max_text_bytes: 4 * 1024,
            batch: 64,
            concurrency: 4,
            max_retries: 3,
            timeout: Duration::from_secs(60),
            query_timeout: Duration::from_secs(5),
            calibration: Calibration::ANY,
        }
    }
}
