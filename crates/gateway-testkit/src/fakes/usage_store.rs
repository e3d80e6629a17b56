//! A usage store in a map, with faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result, UsageChunk, UsageStore};

/// A usage store in a map. It can be made unreachable.
#[derive(Debug, Default)]
pub struct FakeUsageStore {
    /// By beginning and source.
    chunks: Mutex<BTreeMap<(SystemTime, String), UsageChunk>>,
    unreachable: AtomicBool,
}

impl FakeUsageStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store as a trait object.
    pub fn shared() -> Arc<dyn UsageStore> {
        Arc::new(Self::new())
    }

    /// Makes every method fail with `Unavailable`, or work again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Relaxed);
    }

    /// All that is kept, by beginning and then by source; also while it is unreachable.
    pub fn chunks(&self) -> Vec<UsageChunk> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<(SystemTime, String), UsageChunk>) -> T) -> Result<T> {
        if self.unreachable.load(Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "cannot reach the usage store"));
        }
        Ok(work(&mut self.chunks.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[async_trait]
impl UsageStore for FakeUsageStore {
    async fn keep(&self, chunk: UsageChunk) -> Result<()> {
        self.with(|chunks| chunks.insert((chunk.begins_at, chunk.source.clone()), chunk)).map(drop)
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        let inside = |chunk: &&UsageChunk| from <= chunk.begins_at && chunk.begins_at < until;
        self.with(|chunks| chunks.values().filter(inside).cloned().collect())
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        self.with(|chunks| chunks.retain(|(begins_at, _), _| *begins_at >= before))
    }
}
