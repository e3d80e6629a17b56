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
];

/// The default of the gateway's programs, with this part by meaning.
fn hybrid(meaning: EmbeddingRouter) -> HybridRouter {
    let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
    HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning.with_floor(0.0)))])
}

/// The entry called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        Error::Option(format!("--router is {name:?} but must be one of {}", names.join(", ")))
    })
}
