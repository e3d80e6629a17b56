//! Counting what is used, where it is wanted.

use std::future::pending;
use std::sync::Arc;

use gateway_core::{GatewayBuilder, Usage, UsageStore};
use gateway_usage::{UsageConfig, UsageRecorder};

use crate::config::Settings;

/// What a gateway counts of its use; nothing, where that is not wanted.
#[derive(Clone, Debug)]
pub(crate) struct Counting(Option<Arc<UsageRecorder>>);

impl Counting {
    /// As the settings say; kept in `store` where there is one.
    pub(crate) fn of(settings: &Settings, store: Option<Arc<dyn UsageStore>>) -> Self {
        let usage = settings.usage;
        if !usage.enabled {
            return Self(None);
        }
        let recorder = UsageRecorder::new(UsageConfig {
            retention_hours: usage.retention_days * 24,
            queries: usage.queries,
            store_queries: usage.queries,
            ..UsageConfig::default()
        });
        Self(Some(Arc::new(match store {
            Some(store) => recorder.with_store(store),
            None => recorder,
        })))
    }

    /// The gateway's builder, told whom to tell of searches and what stands round every call.
    pub(crate) fn listen(&self, builder: GatewayBuilder) -> GatewayBuilder {
        match &self.0 {
            Some(recorder) => builder.with_layer(recorder.layer()).with_feedback(Arc::<UsageRecorder>::clone(recorder)),
            None => builder,
        }
    }

    /// What doors ask.
    pub(crate) fn reports(&self) -> Option<Arc<dyn Usage>> {
        self.0.clone().map(|recorder| recorder as Arc<dyn Usage>)
    }

    /// Keeps counts now and then. Never ends; may be dropped at any time.
    pub(crate) async fn tend(&self) {
        match &self.0 {
            Some(recorder) => recorder.tend().await,
            None => pending().await,
        }
    }

    /// Keeps what is new. A failure is logged: nothing else stops because of it.
    pub(crate) async fn save(&self) {
        if let Some(recorder) = &self.0
            && let Err(error) = recorder.flush().await
        {
            tracing::error!(%error, "failed to keep what was counted of use");
        }
    }
}
