//! Learning from use, where it is wanted.

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{GatewayBuilder, Result, Router};
use router_learned::{LearnedRouter, Memory, MemoryConfig};
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Settings;

/// How often what was learned is saved, where there was anything new. A gateway that is killed loses as much.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// The file in the data directory.
const FILE: &str = "uses.json";

/// What a gateway learns from use; nothing, where that is not wanted.
pub(crate) struct Learning(Option<Arc<Memory>>);

impl Learning {
    /// As the settings say. Reads what was learned before.
    ///
    /// # Errors
    /// Where it cannot be read; the message reads after "failed to".
    pub(crate) fn of(settings: &Settings) -> Result<Self> {
        if !settings.search.learn {
            return Ok(Self(None));
        }
        let memory = match &settings.data_dir {
            Some(directory) => kept(directory)?,
            None => {
                tracing::info!("learning from use until the gateway ends; data.dir would keep what it learns");
                Memory::new(MemoryConfig::default())
            }
        };
        Ok(Self(Some(Arc::new(memory))))
    }

    /// The router, corrected by what was learned.
    pub(crate) fn round(&self, router: Arc<dyn Router>) -> Arc<dyn Router> {
        match &self.0 {
            Some(memory) => Arc::new(LearnedRouter::new(router, Arc::clone(memory))),
            None => router,
        }
    }

    /// The gateway's builder, told whom to tell of uses.
    pub(crate) fn listen(&self, builder: GatewayBuilder) -> GatewayBuilder {
        match &self.0 {
            Some(memory) => builder.with_feedback(Arc::<Memory>::clone(memory)),
            None => builder,
        }
    }

    /// Saves now and then. Never ends; may be dropped at any time.
    pub(crate) async fn tend(&self) {
        if self.0.is_none() {
            return pending().await;
        }
        let mut clock = interval(SAVE_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            self.save().await;
        }
    }

    /// Saves what is new. A failure is logged: nothing else stops because of it.
    pub(crate) async fn save(&self) {
        let Some(memory) = self.0.clone() else { return };
        // Waits for one that is still under way: the memory saves itself one at a time.
        match tokio::task::spawn_blocking(move || memory.save()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "failed to save what was learned"),
            Err(panic) => tracing::error!(%panic, "saving what was learned broke off"),
        }
    }
}

fn kept(directory: &Path) -> Result<Memory> {
    let path = directory.join(FILE);
    let memory = Memory::open(&path, MemoryConfig::default())?;
    tracing::info!(tools = memory.tools(), "learning from use; kept in {}", path.display());
    Ok(memory)
}
