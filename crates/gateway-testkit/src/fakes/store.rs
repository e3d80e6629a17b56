//! A session store in a map, with faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};
use tokio::sync::{broadcast, watch};

/// A session store in a map. It can be made unreachable, tell of changes, and be one that keeps no secrets.
#[derive(Debug, Default)]
pub struct FakeStore {
    records: Mutex<BTreeMap<String, StoredSession>>,
    unreachable: AtomicBool,
    silent: AtomicBool,
    hanging: watch::Sender<bool>,
    operations: AtomicUsize,
    changes: Option<broadcast::Sender<RecordChange>>,
    in_plain_sight: bool,
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

    /// Tells of changes, as a store does whose database does.
    #[must_use]
    pub fn with_changes(self) -> Self {
        Self { changes: Some(broadcast::Sender::new(64)), ..self }
    }

    /// Keeps records where others can read them.
    #[must_use]
    pub fn in_plain_sight(self) -> Self {
        Self { in_plain_sight: true, ..self }
    }

    /// Tells of no change on its own, or does so again.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Relaxed);
    }

    /// Tells this of its own accord.
    pub fn tell(&self, change: RecordChange) {
        if let Some(changes) = &self.changes {
            // Where nobody listens there is nobody to tell.
            let _ = changes.send(change);
        }
    }

    /// How often it has been asked for anything.
    pub fn operations(&self) -> usize {
        self.operations.load(Relaxed)
    }

    /// Puts a record there as it is, in place of another one, or takes it out; tells nobody.
    ///
    /// # Panics
    /// Never: nothing panics with the lock held.
    pub fn put(&self, id: &str, record: Option<StoredSession>) {
        let mut records = self.records.lock().expect("nothing panics with the lock held");
        match record {
            Some(record) => records.insert(id.to_owned(), record),
            None => records.remove(id),
        };
    }

    /// The revision of a record, also while it hangs; 0 where there is none.
    ///
    /// # Panics
    /// Never: nothing panics with the lock held.
    pub fn revision(&self, id: &str) -> u64 {
        let records = self.records.lock().expect("nothing panics with the lock held");
        records.get(id).map_or(0, |record| record.revision)
    }

    /// Whether this text is part of anything that it keeps.
    ///
    /// # Panics
    /// Never: nothing panics with the lock held.
    pub fn contains(&self, text: &str) -> bool {
        let records = self.records.lock().expect("nothing panics with the lock held");
        let mut all = records.values().flat_map(|record| [record.id.as_bytes(), &record.data]);
        all.any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    }

    fn changed(&self, id: &str) {
        if !self.silent.load(Relaxed) {
            self.tell(RecordChange::One(id.into()));
        }
    }

    /// Makes every method fail with `Unavailable`, or work again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Relaxed);
    }

    /// Makes every method wait until this is taken back, as a database does that neither answers nor refuses.
    pub fn set_hanging(&self, hanging: bool) {
        self.hanging.send_replace(hanging);
    }

    /// Calls `work` with the records that have not expired.
    async fn with<T: Send>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, StoredSession>) -> Result<T> + Send,
    ) -> Result<T> {
        self.operations.fetch_add(1, Relaxed);
        // Its sender is here, so it cannot end.
        let _ = self.hanging.subscribe().wait_for(|hanging| !hanging).await;
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
        let id = session.id.clone();
        self.with(|records| {
            if records.contains_key(&session.id) {
                return Err(Error::new(ErrorKind::Conflict, "create the session: its id exists"));
            }
            records.insert(session.id.clone(), StoredSession { revision: 1, ..session });
            Ok(())
        })
        .await?;
        self.changed(&id);
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        self.with(|records| Ok(records.get(id).cloned())).await
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let id = session.id.clone();
        let saved = self.with(|records| {
            let kept = records.get_mut(&session.id);
            let kept = kept.ok_or_else(|| Error::new(ErrorKind::NotFound, "save the session: there is none"))?;
            if kept.revision != session.revision {
                return Err(Error::new(ErrorKind::Conflict, "save the session: its revision is another one"));
            }
            *kept = StoredSession { revision: session.revision + 1, ..session };
            Ok(kept.revision)
        });
        let revision = saved.await?;
        self.changed(&id);
        Ok(revision)
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        let was_there = self.with(|records| Ok(records.remove(id).is_some())).await?;
        self.changed(id);
        Ok(was_there)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        self.with(|records| Ok(records.values().filter(|record| record.id.starts_with(prefix)).cloned().collect()))
            .await
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        self.changes.as_ref().map(broadcast::Sender::subscribe)
    }

    fn keeps_secrets(&self) -> bool {
        !self.in_plain_sight
    }
}
