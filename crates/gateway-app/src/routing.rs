//! From settings to the router that they name.

use std::path::Path;
use std::sync::Arc;

use gateway_core::{Result, Router};
use router_embedding::{EmbeddingRouter, EmbeddingService, ServiceConfig, VectorStore};
use router_hybrid::{HybridConfig, HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};
use router_openai::{
    AnthropicModel, AnthropicModelConfig, ChatModel, GeminiModel, GeminiModelConfig, OpenAiModel, OpenAiModelConfig,
    OpenAiRouter,
};

use crate::config::{EmbeddingChoice, ModelSettings, Provider, RouterChoice, SearchSettings, Settings};
use crate::learning::Learning;

/// Most bytes of vectors that are kept for tools that come back.
const MAX_VECTORS: u64 = 64 << 20;

/// The folder for vectors in the data directory.
const VECTORS: &str = "vectors";

/// The router of `settings`. What is learned from use corrects it, and a model judges last.
///
/// # Errors
/// Where a model cannot be loaded, or its settings cannot be used.
pub(crate) fn router(settings: &Settings, learning: &Learning) -> Result<Arc<dyn Router>> {
    let search = &settings.search;
    let data_dir = settings.data_dir.as_deref();
    let retrieval: Arc<dyn Router> = match search.router {
        RouterChoice::Keyword => Arc::new(words(search.min_score)),
        RouterChoice::Embedding => Arc::new(meaning(search, data_dir)?.with_floor(search.min_score)),
        RouterChoice::Hybrid | RouterChoice::OpenAi => Arc::new(hybrid(search, data_dir)?),
    };
    let retrieval = learning.round(retrieval);
    match &search.model {
        Some(model) => {
            tracing::info!(
                "searches go to a chat model: it sees each query with the descriptions of the best candidates"
            );
            Ok(Arc::new(OpenAiRouter::new(retrieval, chat_model(model.clone())?, model.judging.clone())))
        }
        None => Ok(retrieval),
    }
}

fn words(floor: f32) -> KeywordRouter {
    KeywordRouter::new(KeywordConfig { floor, ..KeywordConfig::default() })
}

fn hybrid(search: &SearchSettings, data_dir: Option<&Path>) -> Result<HybridRouter> {
    let meaning = Part::by_meaning(Arc::new(meaning(search, data_dir)?.with_floor(0.0)));
    let meaning = match &search.embedding {
        EmbeddingChoice::Static => meaning,
        // It may take minutes, or be out of reach. Until it is there, words will do.
        EmbeddingChoice::MiniLm(_) | EmbeddingChoice::Service { .. } => meaning.in_background(),
    };
    let config = HybridConfig { abstain_below: search.min_score, ..HybridConfig::default() };
    Ok(HybridRouter::new(vec![Part::by_words(Arc::new(words(0.0))), meaning]).with_config(config))
}

fn meaning(search: &SearchSettings, data_dir: Option<&Path>) -> Result<EmbeddingRouter> {
    let store = || {
        let store = VectorStore::in_memory(MAX_VECTORS);
        data_dir.map(|directory| directory.join(VECTORS)).into_iter().fold(store, VectorStore::with_folder)
    };
    match &search.embedding {
        EmbeddingChoice::Static => Ok(EmbeddingRouter::default()),
        EmbeddingChoice::MiniLm(folder) => Ok(EmbeddingRouter::new(minilm(folder)?).with_store(store())),
        EmbeddingChoice::Service { base_url, model, api_key } => {
            let config = ServiceConfig { api_key: api_key.clone(), ..ServiceConfig::new(base_url, model) };
            Ok(EmbeddingRouter::new(Arc::new(EmbeddingService::new(config)?)).with_store(store()))
        }
    }
}

#[cfg(feature = "minilm")]
fn minilm(folder: &Path) -> Result<Arc<dyn router_embedding::Embedder>> {
    Ok(Arc::new(router_embedding::MiniLm::load(folder, 1)?))
}

#[cfg(not(feature = "minilm"))]
fn minilm(_: &Path) -> Result<Arc<dyn router_embedding::Embedder>> {
    let message = "load MiniLM: this program was built without the feature `minilm`";
    Err(gateway_core::Error::new(gateway_core::ErrorKind::InvalidRequest, message))
}

fn chat_model(settings: ModelSettings) -> Result<Arc<dyn ChatModel>> {
    let ModelSettings { provider, model, base_url, api_version, .. } = settings;
    Ok(match provider {
        Provider::OpenAi(key) => {
            let config = OpenAiModelConfig::new(key);
            let mut config = if model.is_empty() { config } else { config.with_model(model) };
            replace(&mut config.base_url, base_url);
            Arc::new(OpenAiModel::new(config)?)
        }
        Provider::Anthropic(key) => {
            let config = AnthropicModelConfig::new(key);
            let mut config = if model.is_empty() { config } else { config.with_model(model) };
            replace(&mut config.base_url, base_url);
            Arc::new(AnthropicModel::new(config)?)
        }
        Provider::Gemini(key) => {
            let config = GeminiModelConfig::new(key);
            let mut config = if model.is_empty() { config } else { config.with_model(model) };
            replace(&mut config.base_url, base_url);
            Arc::new(GeminiModel::new(config)?)
        }
        Provider::Compatible(key) => Arc::new(OpenAiModel::new(OpenAiModelConfig::compatible(base_url, model, key))?),
        Provider::Azure(key) => {
            Arc::new(OpenAiModel::new(OpenAiModelConfig::azure(base_url, model, api_version, key))?)
        }
    })
}

/// Another address than the provider's own, where one is given.
fn replace(default: &mut String, given: String) {
    if !given.is_empty() {
        *default = given;
    }
}
