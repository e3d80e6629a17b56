//! The router: makes an index of the parts' indexes.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use gateway_core::{Index, Result, Router, ServerTools};

use crate::config::HybridConfig;
use crate::index::HybridIndex;
use crate::part::{Part, PartIndex};

/// Fuses what several routers find.
///
/// A part that fails, or whose index is not there yet, is done without, and the answer says so
/// ([`Ranking::answered_by`](gateway_core::Ranking::answered_by): `hybrid (embedding unavailable)`).
#[derive(Clone, Debug)]
pub struct HybridRouter {
    parts: Vec<Part>,
    config: HybridConfig,
}

impl HybridRouter {
    /// Fuses `parts`, usually [one by words](Part::by_words) and [one by meaning](Part::by_meaning). Without any, it
    /// finds nothing.
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts, config: HybridConfig::default() }
    }

    /// With these settings in place of the defaults.
    #[must_use]
    pub fn with_config(mut self, config: HybridConfig) -> Self {
        self.config = config;
        self
    }
}

#[async_trait]
impl Router for HybridRouter {
    fn name(&self) -> &str {
        "hybrid"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let parts = try_join_all(self.parts.iter().map(|part| PartIndex::new(part.clone(), servers))).await?;
        Ok(Arc::new(HybridIndex::new(self.config.clone(), parts, servers)))
    }
}
