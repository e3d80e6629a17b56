//! A session store in a map, with faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result, SessionStore, StoredSession};

/// A session store in a map. It can be made unreachable.
#[derive(Debug, Default)]
pub struct FakeStore {
    records: Mutex<BTreeMap<String, StoredSession>>,
    unreachable: AtomicBool,
}

impl FakeStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store as a trait object.
    pub fn shared() -> Arc<dyn SessionStore> {
        Arc::new(Self::new())
    }

    /// Makes every method fail with `Unavailable`, or work again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Relaxed);
    }

    /// Calls `work` with the records that have not expired.
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, StoredSession>) -> Result<T>) -> Result<T> {
        if self.unreachable.load(Relaxed) {
            return Err(Error::new(ErrorKind::Unavailable, "cannot reach the session store"));
        }
        let mut records = self.records.lock().expect("nothing panics with the lock held");
        let now = SystemTime::now();
        records.retain(|_, record| record.expires_at > now);
        work(&mut records)
    }
}

#[async_trait]
impl SessionStore for FakeStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        self.with(|records| {
            if records.contains_key(&session.id) {
                return Err(Error::new(ErrorKind::Conflict, "create the session: its id exists"));
            }
            records.insert(session.id.clone(), StoredSession { revision: 1, ..session });
            Ok(())
        })
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        self.with(|records| Ok(records.get(id).cloned()))
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        self.with(|records| {
            let kept = records.get_mut(&session.id);
            let kept = kept.ok_or_else(|| Error::new(ErrorKind::NotFound, "save the session: there is none"))?;
            if kept.revision != session.revision {
                return Err(Error::new(ErrorKind::Conflict, "save the session: its revision is another one"));
            }
            *kept = StoredSession { revision: session.revision + 1, ..session };
            Ok(kept.revision)
        })
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        self.with(|records| Ok(records.remove(id).is_some()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        self.with(|records| Ok(records.values().filter(|record| record.id.starts_with(prefix)).cloned().collect()))
    }

    fn keeps_secrets(&self) -> bool {
        true
    }
}
