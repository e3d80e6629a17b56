//! The settings of search and of the model that may judge it.

use std::path::PathBuf;
use std::time::Duration;

use gateway_core::Secret;
use router_openai::OpenAiRouterConfig;

use super::read::key;
use super::reader::Reader;

/// The lowest score of a best match, unless something else is said.
const MIN_SCORE: f32 = 0.025;

/// How tools are found.
#[derive(Clone, Debug)]
pub struct SearchSettings {
    /// Who ranks.
    pub router: RouterChoice,
    /// What compares meanings.
    pub embedding: EmbeddingChoice,
    /// Matches worse than this are no answer, 0..=1. Of the hybrid router: all of them, where the best is worse.
    pub min_score: f32,
    /// Whether it is remembered which tools were run after which searches.
    pub learn: bool,
    /// The model that judges, where the router is that of a model.
    pub model: Option<ModelSettings>,
}

/// Who ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterChoice {
    /// Words and meaning.
    Hybrid,
    /// Words.
    Keyword,
    /// Meaning.
    Embedding,
    /// A chat model, of what the hybrid one finds.
    OpenAi,
}

/// What compares meanings.
#[derive(Clone, Debug)]
pub enum EmbeddingChoice {
    /// The table in the program.
    Static,
    /// MiniLM, from a folder.
    MiniLm(PathBuf),
    /// A service that speaks OpenAI's protocol.
    Service {
        /// Where it is.
        base_url: String,
        /// The model's name there.
        model: String,
        /// Its key, where it wants one.
        api_key: Option<Secret>,
    },
}

/// A chat model and how it is asked.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Who has it.
    pub provider: Provider,
    /// Its name; empty for the provider's default.
    pub model: String,
    /// Where the API begins; empty for the provider's own.
    pub base_url: String,
    /// Azure's `api-version`; empty for none.
    pub api_version: String,
    /// Deadline, limits and so on.
    pub judging: OpenAiRouterConfig,
}

/// Who has a chat model, and the key to it.
#[derive(Clone, Debug)]
pub enum Provider {
    /// OpenAI.
    OpenAi(Secret),
    /// Anthropic.
    Anthropic(Secret),
    /// Google.
    Gemini(Secret),
    /// Another server that speaks OpenAI's Chat Completions: vLLM, Ollama, a proxy. It may want no key.
    Compatible(Option<Secret>),
    /// A deployment at Azure OpenAI.
    Azure(Secret),
}

/// A provider as the configuration names it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Auto,
    OpenAi,
    Anthropic,
    Gemini,
    Compatible,
    Azure,
}

const PROVIDERS: [(&str, Named); 6] = [
    ("auto", Named::Auto),
    ("openai", Named::OpenAi),
    ("anthropic", Named::Anthropic),
    ("gemini", Named::Gemini),
    ("compatible", Named::Compatible),
    ("azure", Named::Azure),
];

/// The keys that a model may have, by the variables' order of precedence.
struct Keys {
    openai: Option<Secret>,
    anthropic: Option<Secret>,
    gemini: Option<Secret>,
}

pub(super) fn search(reader: &mut Reader<'_>) -> SearchSettings {
    let routers = [
        ("hybrid", RouterChoice::Hybrid),
        ("keyword", RouterChoice::Keyword),
        ("embedding", RouterChoice::Embedding),
        ("openai", RouterChoice::OpenAi),
    ];
    let router = reader.choice("search.router", &routers, RouterChoice::Hybrid);
    let min_score = reader.fraction("search.min_score", MIN_SCORE);
    let embedding = embedding(reader);
    let model = model(reader, router == RouterChoice::OpenAi);
    SearchSettings { router, embedding, min_score, learn: reader.flag("search.learn", false), model }
}

fn embedding(reader: &mut Reader<'_>) -> EmbeddingChoice {
    let kinds = [("static", 0), ("minilm", 1), ("service", 2)];
    let kind = reader.choice("search.embedding", &kinds, 0);
    let folder = reader.path("search.minilm_dir");
    let base_url = reader.text("search.embedding_url", "");
    let model = reader.text("search.embedding_model", "");
    let api_key = key(reader, "search.embedding_api_key");
    match (kind, folder) {
        (1, _) if !cfg!(feature = "minilm") => {
            let problem = "is not part of this program; build it with `--features minilm` (Rust 1.94 or later)";
            reader.mistake("search.embedding", problem);
        }
        (1, Some(folder)) => return EmbeddingChoice::MiniLm(folder),
        (1, None) => {
            reader.mistake("search.embedding", "needs search.minilm_dir, the folder with the model (docs/routing.md)");
        }
        (2, _) if base_url.is_empty() || model.is_empty() => {
            reader.mistake("search.embedding", "needs search.embedding_url and search.embedding_model");
        }
        (2, _) => return EmbeddingChoice::Service { base_url, model, api_key },
        _ => {}
    }
    EmbeddingChoice::Static
}

fn model(reader: &mut Reader<'_>, is_wanted: bool) -> Option<ModelSettings> {
    let provider = reader.choice("llm.provider", &PROVIDERS, Named::Auto);
    let keys = Keys {
        openai: key(reader, "llm.openai_api_key"),
        anthropic: key(reader, "llm.anthropic_api_key"),
        gemini: key(reader, "llm.gemini_api_key"),
    };
    let model = reader.text("llm.model", "");
    let base_url = reader.text("llm.base_url", "");
    let api_version = reader.text("llm.api_version", "");
    let judging = judging(reader);
    if !is_wanted {
        return None;
    }
    let Some(provider) = chosen(provider, keys) else {
        reader.mistake(
            "search.router",
            "needs a key: set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or llm.provider = \"compatible\" \
             with llm.base_url and llm.model",
        );
        return None;
    };
    let is_azure = matches!(provider, Provider::Azure(_));
    if is_azure && (base_url.is_empty() || model.is_empty() || api_version.is_empty()) {
        reader
            .mistake("llm.provider", "needs llm.base_url (the endpoint), llm.model (the deployment), llm.api_version");
    }
    if matches!(provider, Provider::Compatible(_)) && (base_url.is_empty() || model.is_empty()) {
        reader.mistake("llm.provider", "needs llm.base_url and llm.model");
    }
    Some(ModelSettings { provider, model, base_url, api_version, judging })
}

/// The provider that was named, or the first one that has a key; none where the key is missing.
fn chosen(named: Named, keys: Keys) -> Option<Provider> {
    let Keys { openai, anthropic, gemini } = keys;
    match named {
        Named::OpenAi => openai.map(Provider::OpenAi),
        Named::Anthropic => anthropic.map(Provider::Anthropic),
        Named::Gemini => gemini.map(Provider::Gemini),
        Named::Azure => openai.map(Provider::Azure),
        Named::Compatible => Some(Provider::Compatible(openai)),
        Named::Auto => {
            let openai = openai.map(Provider::OpenAi);
            openai.or(anthropic.map(Provider::Anthropic)).or(gemini.map(Provider::Gemini))
        }
    }
}

fn judging(reader: &mut Reader<'_>) -> OpenAiRouterConfig {
    let default = OpenAiRouterConfig::default();
    let most = u64::from(u32::MAX);
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    OpenAiRouterConfig {
        candidates: reader.count("llm.candidates", 1..=100, default.candidates),
        max_output_tokens: narrow(reader.number("llm.max_output_tokens", 100..=most, default.max_output_tokens.into())),
        timeout: Duration::from_millis(reader.number("llm.timeout_ms", 1..=600_000, 10_000)),
        max_calls_per_minute: narrow(reader.number(
            "llm.max_calls_per_minute",
            0..=most,
            default.max_calls_per_minute.into(),
        )),
        max_tokens_per_day: reader.number("llm.max_tokens_per_day", 0..=1 << 53, default.max_tokens_per_day),
        max_concurrency: reader.count("llm.max_concurrency", 1..=1_000, default.max_concurrency),
        ..default
    }
}
