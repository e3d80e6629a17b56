//! The router round another router.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Result, Router, ServerTools};

use crate::chat_model::ChatModel;
use crate::config::OpenAiRouterConfig;
use crate::index::OpenAiIndex;
use crate::judge::Judge;

/// Ranks tools as a chat model judges the best candidates of another router.
///
/// All of its indexes share the model's limits and the answers that are kept. What the model says can only choose and
/// order candidates: it never makes a tool appear that the router beneath did not find for this caller. Where it
/// cannot be asked, the router beneath answers, and the ranking says so: `hybrid (openai unavailable)`.
pub struct OpenAiRouter {
    inner: Arc<dyn Router>,
    judge: Arc<Judge>,
}

impl OpenAiRouter {
    /// A router that lets `model` judge what `inner` finds.
    pub fn new(inner: Arc<dyn Router>, model: Arc<dyn ChatModel>, config: OpenAiRouterConfig) -> Self {
        Self { inner, judge: Arc::new(Judge::new(model, config)) }
    }
}

#[async_trait]
impl Router for OpenAiRouter {
    fn name(&self) -> &str {
        "openai"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let inner = self.inner.index(servers).await?;
        Ok(Arc::new(OpenAiIndex::new(self.inner.name(), inner, servers.to_vec(), Arc::clone(&self.judge))))
    }
}

impl fmt::Debug for OpenAiRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiRouter").field("inner", &self.inner).field("judge", &self.judge).finish()
    }
}
