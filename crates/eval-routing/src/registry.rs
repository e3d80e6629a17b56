//! The routers that can be measured.

use std::path::PathBuf;
use std::sync::Arc;

use gateway_core::Router;
use router_embedding::EmbeddingRouter;
use router_hybrid::{HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};

use crate::bm25::{Bm25Router, Reading};
use crate::error::{Error, Result};

/// What a router may need to be made.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The folder of a MiniLM model.
    pub minilm: Option<PathBuf>,
}

/// A router that can be measured.
#[derive(Debug)]
pub struct Entry {
    /// What it is called on the command line, in tables and among the recorded scores.
    pub name: &'static str,
    /// Makes it. [`Error::Option`] where a setting is missing that it needs: then it is left out, unless it was
    /// asked for by name.
    pub make: fn(&Settings) -> Result<Arc<dyn Router>>,
}

/// All of them, the floors first. To measure another router, add a line.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "bm25", make: |_| Ok(Arc::new(Bm25Router::new(Reading::Plain))) },
    Entry { name: "bm25-full", make: |_| Ok(Arc::new(Bm25Router::new(Reading::Full))) },
    Entry { name: "keyword", make: |_| Ok(Arc::new(KeywordRouter::default())) },
    Entry { name: "embedding", make: |_| Ok(Arc::new(EmbeddingRouter::default())) },
    Entry { name: "hybrid", make: |_| Ok(Arc::new(hybrid(EmbeddingRouter::default()))) },
    Entry { name: "minilm", make: |settings| Ok(Arc::new(minilm(settings)?)) },
    Entry { name: "hybrid-minilm", make: |settings| Ok(Arc::new(hybrid(minilm(settings)?))) },
];

/// The default of the gateway's programs, with this part by meaning.
fn hybrid(meaning: EmbeddingRouter) -> HybridRouter {
    let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
    HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning.with_floor(0.0)))])
}

/// The embedding router with the model in the folder of `--minilm`.
#[cfg(feature = "minilm")]
fn minilm(settings: &Settings) -> Result<EmbeddingRouter> {
    let folder = settings.minilm.as_ref().ok_or_else(|| Error::Option("needs --minilm DIR".to_owned()))?;
    let model = router_embedding::MiniLm::load(folder, 1).map_err(|error| Error::Option(error.to_string()))?;
    Ok(EmbeddingRouter::new(Arc::new(model)).with_store(router_embedding::VectorStore::in_memory(1 << 30)))
}

#[cfg(not(feature = "minilm"))]
fn minilm(_: &Settings) -> Result<EmbeddingRouter> {
    Err(Error::Option("needs --minilm DIR, and the program built with --features minilm".to_owned()))
}

/// The entry called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        Error::Option(format!("--router is {name:?} but must be one of {}", names.join(", ")))
    })
}
