//! A usage store in a map, with faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Error, ErrorKind, Result, UsageChunk, UsageStore};

type Chunks = BTreeMap<(SystemTime, String), Bytes>;

/// A usage store in a map. It can be made unreachable.
#[derive(Debug, Default)]
pub struct FakeUsageStore {
    chunks: Mutex<Chunks>,
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

    fn with<T>(&self, work: impl FnOnce(&mut Chunks) -> T) -> Result<T> {
        if self.unreachable.load(Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "cannot reach the usage store"));
        }
        Ok(work(&mut self.chunks.lock().expect("nothing panics with the lock held")))
    }
}

#[async_trait]
impl UsageStore for FakeUsageStore {
    async fn keep(&self, chunk: UsageChunk) -> Result<()> {
        self.with(|chunks| drop(chunks.insert((chunk.begins_at, chunk.source), chunk.data)))
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        let chunk = |((begins_at, source), data): (&(SystemTime, String), &Bytes)| UsageChunk {
            source: source.clone(),
            begins_at: *begins_at,
            data: data.clone(),
        };
        let inside = |begins_at: SystemTime| from <= begins_at && begins_at < until;
        self.with(|chunks| chunks.iter().filter(|((begins_at, _), _)| inside(*begins_at)).map(chunk).collect())
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        self.with(|chunks| chunks.retain(|(begins_at, _), _| *begins_at >= before))
    }
}
