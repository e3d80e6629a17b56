//! The model at a service.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use gateway_core::{Error, ErrorKind, Result, Retry};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::time;

use super::api::Api;
use super::config::ServiceConfig;
use super::error;
use crate::calibrate::Calibration;
use crate::document::bounded;
use crate::embedder::{Embedder, Role, Words};
use crate::vector::Vector;

/// More dimensions than any model has.
const MAX_DIMENSIONS: usize = 16_384;

/// Before the second attempt; it doubles with every further one, and a random part of up to a half is taken off.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest that a service may ask for patience. Beyond it the failure is told.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A model at a service that speaks OpenAI's embeddings protocol: OpenAI, Ollama, vLLM, llama.cpp, text-embeddings
/// inference and most others.
///
/// All texts of tools and all queries are sent to the service.
pub struct EmbeddingService {
    config: ServiceConfig,
    api: Api,
    id: String,
    /// How many dimensions the vectors have, as soon as one has come.
    dimensions: OnceLock<usize>,
}

#[derive(Serialize)]
struct Request<'t> {
    model: &'t str,
    input: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    /// Its place among the texts. Some services leave it out, and keep the order.
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl EmbeddingService {
    /// The model that `config` describes. Nothing is sent before there is a text.
    ///
    /// # Errors
    /// `InvalidRequest` naming the setting that cannot be used.
    pub fn new(config: ServiceConfig) -> Result<Self> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidRequest, message));
        if config.model.trim().is_empty() {
            return invalid("`model` is empty: give the name of an embedding model of the service");
        }
        if config.dimensions.is_some_and(|dimensions| dimensions == 0 || dimensions > MAX_DIMENSIONS) {
            return invalid("`dimensions` must be 1 to 16384: leave it out for the model's own number");
        }
        if config.batch == 0 || config.concurrency == 0 || config.max_text_bytes == 0 {
            return invalid("`batch`, `concurrency` and `max_text_bytes` must be at least 1");
        }
        let api = Api::new(&config)?;
        let id = format!(
            "service {} {} {:?} {:?} {:?} {}",
            config.base_url,
            config.model,
            config.dimensions,
            config.query_prefix,
            config.document_prefix,
            config.max_text_bytes
        );
        let dimensions = config.dimensions.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self { config, api, id, dimensions })
    }

    /// The vectors of at most [`ServiceConfig::batch`] texts.
    async fn batch(&self, texts: Vec<String>) -> Result<Vec<Option<Vector>>> {
        let ServiceConfig { model, dimensions, .. } = &self.config;
        let request = Request { model, input: &texts, dimensions: *dimensions };
        let body: Bytes = serde_json::to_vec(&request)
            .map_err(|source| Error::new(ErrorKind::Internal, "embed: write the request").with_source(source))?
            .into();
        let mut attempt = 0;
        loop {
            let answered = time::timeout(self.config.timeout, self.api.post(body.clone())).await;
            let error = match answered.unwrap_or_else(|_| Err(error::late(self.config.timeout))) {
                Ok(answer) => return self.read(&answer, texts.len()),
                Err(error) => error,
            };
            let Some(pause) = pause(self.config.max_retries, attempt, &error) else { return Err(error) };
            time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// The vectors in an answer to `count` texts.
    fn read(&self, answer: &[u8], count: usize) -> Result<Vec<Option<Vector>>> {
        let answer: Answer = serde_json::from_slice(answer)
            .map_err(|source| error::unexpected("it is no list of embeddings").with_source(source))?;
        if answer.data.len() != count {
            return Err(error::unexpected(format_args!("{} vectors for {count} texts", answer.data.len())));
        }
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
        for (place, one) in answer.data.into_iter().enumerate() {
            let place = one.index.unwrap_or(place);
            let free = vectors.get_mut(place).filter(|slot| slot.is_none());
            *free.ok_or_else(|| error::unexpected("an index is out of range or comes twice"))? = Some(one.embedding);
        }
        vectors.into_iter().flatten().map(|values| self.check(values)).collect()
    }

    fn check(&self, values: Vec<f32>) -> Result<Option<Vector>> {
        if values.is_empty() || values.len() > MAX_DIMENSIONS {
            return Err(error::unexpected(format_args!("a vector has {} dimensions", values.len())));
        }
        let expected = *self.dimensions.get_or_init(|| values.len());
        if values.len() != expected {
            let what = format_args!("a vector has {} dimensions instead of {expected}", values.len());
            return Err(error::unexpected(what));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(error::unexpected("a vector has numbers that are none"));
        }
        Ok(Vector::new(values))
    }

    async fn all(&self, texts: Vec<String>) -> Result<Vec<Option<Vector>>> {
        let batches: Vec<Vec<String>> = texts.chunks(self.config.batch).map(<[String]>::to_vec).collect();
        let batches = stream::iter(batches.into_iter().map(|batch| self.batch(batch)));
        let answers: Vec<_> = batches.buffered(self.config.concurrency).try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }
}

#[async_trait]
impl Embedder for EmbeddingService {
    fn id(&self) -> &str {
        &self.id
    }

    async fn embed(&self, texts: &[&str], role: Role) -> Result<Vec<Option<Vector>>> {
        let prefix = match role {
            Role::Query => &self.config.query_prefix,
            Role::Document => &self.config.document_prefix,
        };
        let sent = |text: &&str| format!("{prefix}{}", bounded(text, self.config.max_text_bytes));
        // Services refuse texts of nothing, and there is nothing in them to find.
        let telling: Vec<&str> = texts.iter().copied().filter(|text| !text.trim().is_empty()).collect();
        let embedding = self.all(telling.iter().map(sent).collect());
        let vectors = match role {
            Role::Document => embedding.await?,
            Role::Query => {
                let limit = self.config.query_timeout;
                time::timeout(limit, embedding).await.unwrap_or_else(|_| Err(error::late(limit)))?
            }
        };
        let mut vectors = vectors.into_iter();
        let place = |text: &&str| if text.trim().is_empty() { None } else { vectors.next().flatten() };
        Ok(texts.iter().map(place).collect())
    }

    fn calibration(&self) -> Calibration {
        self.config.calibration
    }

    fn words(&self) -> Option<&dyn Words> {
        None
    }
}

impl fmt::Debug for EmbeddingService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingService").field("api", &self.api).field("config", &self.config).finish_non_exhaustive()
    }
}

/// How long to wait before the next attempt; `None` where there must be none. `attempt` counts from 0.
fn pause(max_retries: u32, attempt: u32, error: &Error) -> Option<Duration> {
    if attempt >= max_retries || error.retry() != Retry::Safe {
        return None;
    }
    let longest = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(MAX_PAUSE);
    let own = longest.mul_f64(rand::rng().random_range(0.5..=1.0));
    let asked = Duration::from_millis(error.retry_after_ms().unwrap_or(0));
    (asked <= MAX_PAUSE).then_some(own.max(asked))
}
