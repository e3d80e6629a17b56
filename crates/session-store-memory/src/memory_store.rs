//! The store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result, SessionStore, StoredSession};

/// Fewest records at which a sweep for expired ones is worth its time.
const SMALLEST_SWEEP: usize = 1024;

/// Keeps session records in a map, in order of their ids.
///
/// An expired record is missing from every answer at once. Its memory is given back by the next
/// [`list`](SessionStore::list), or when the map has doubled since it was last swept, so that records
/// that nobody asks for cannot pile up.
#[derive(Default)]
pub struct MemoryStore {
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    by_id: BTreeMap<String, StoredSession>,
    /// How many records the last sweep left.
    swept_len: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // Nothing panics between two changes of the map, so a poisoned lock holds whole records.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        let now = SystemTime::now();
        let mut records = self.records();
        if records.live(&session.id, now).is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("create session {:?}: a session with this id exists", session.id),
            ));
        }
        records.sweep_if_grown(now);
        records.by_id.insert(session.id.clone(), StoredSession { revision: 1, ..session });
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        Ok(self.records().live(id, SystemTime::now()).cloned())
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let now = SystemTime::now();
        let mut records = self.records();
        let Some(kept) = records.live(&session.id, now) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("save session {:?}: there is no such session", session.id),
            ));
        };
        if kept.revision != session.revision {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "save session {:?}: it has revision {} by now, not {}",
                    session.id, kept.revision, session.revision
                ),
            ));
        }
        let revision = session.revision + 1;
        records.by_id.insert(session.id.clone(), StoredSession { revision, ..session });
        Ok(revision)
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        let now = SystemTime::now();
        Ok(self.records().by_id.remove(id).is_some_and(|record| record.expires_at > now))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        let mut records = self.records();
        records.sweep(SystemTime::now());
        let from = records.by_id.range(prefix.to_owned()..);
        Ok(from.take_while(|(id, _)| id.starts_with(prefix)).map(|(_, record)| record.clone()).collect())
    }

    fn keeps_secrets(&self) -> bool {
        true
    }
}

impl fmt::Debug for MemoryStore {
    /// Shows the number of records only: what they say may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("records", &self.records().by_id.len()).finish_non_exhaustive()
    }
}

impl Records {
    /// The record with this id, unless it has expired.
    fn live(&self, id: &str, now: SystemTime) -> Option<&StoredSession> {
        self.by_id.get(id).filter(|record| record.expires_at > now)
    }

    fn sweep_if_grown(&mut self, now: SystemTime) {
        if self.by_id.len() >= SMALLEST_SWEEP.max(self.swept_len * 2) {
            self.sweep(now);
        }
    }

    fn sweep(&mut self, now: SystemTime) {
        self.by_id.retain(|_, record| record.expires_at > now);
        self.swept_len = self.by_id.len();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn expired_records_do_not_pile_up() {
        let store = MemoryStore::new();
        let expired = SystemTime::now() - Duration::from_secs(1);
        for number in 0..SMALLEST_SWEEP * 4 {
            let id = format!("sess_{number}");
            let data = bytes::Bytes::new();
            let session = StoredSession { id, revision: 0, expires_at: expired, data };
            store.create(session).await.expect("created");
        }
        assert!(store.records().by_id.len() <= SMALLEST_SWEEP);
        assert_eq!(store.list("").await.expect("listed"), []);
        assert_eq!(store.records().by_id.len(), 0);
    }
}
