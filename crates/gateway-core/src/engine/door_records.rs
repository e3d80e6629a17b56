//! What doors keep in the session store.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::global::GLOBAL;
use super::sessions::{SESSION, is_record_id};
use crate::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};

/// Records of one door in the gateway's session store, under a prefix of its own: it reaches no others. Made by
/// [`Gateway::door_records`](crate::Gateway::door_records). What the methods promise is what [`SessionStore`] says.
#[derive(Clone, Debug)]
pub struct DoorRecords {
    prefix: &'static str,
    store: Arc<dyn SessionStore>,
}

impl DoorRecords {
    /// # Panics
    /// Where the prefix could be that of sessions or of another door.
    pub(super) fn new(prefix: &'static str, store: Arc<dyn SessionStore>) -> Self {
        let is_own = is_record_id(prefix) && prefix.ends_with('_') && prefix != SESSION && !GLOBAL.starts_with(prefix);
        assert!(is_own, "`{prefix}` is no prefix of a door's records");
        Self { prefix, store }
    }

    /// Whether a record can have this id.
    pub fn has(&self, id: &str) -> bool {
        id.starts_with(self.prefix) && is_record_id(id)
    }

    /// Keeps a new record with revision 1.
    ///
    /// # Errors
    /// Those of [`SessionStore::create`]; `Internal` for an id that is not this door's.
    pub async fn create(&self, record: StoredSession) -> Result<()> {
        self.check(&record.id)?;
        self.store.create(record).await
    }

    /// The record with this id, or `None`.
    ///
    /// # Errors
    /// Those of [`SessionStore::load`].
    pub async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        if self.has(id) { self.store.load(id).await } else { Ok(None) }
    }

    /// Replaces the record if its revision is still the same, and returns the new one.
    ///
    /// # Errors
    /// Those of [`SessionStore::save`]; `Internal` for an id that is not this door's.
    pub async fn save(&self, record: StoredSession) -> Result<u64> {
        self.check(&record.id)?;
        self.store.save(record).await
    }

    /// Removes the record; `false` where there was none.
    ///
    /// # Errors
    /// Those of [`SessionStore::delete`].
    pub async fn delete(&self, id: &str) -> Result<bool> {
        if self.has(id) { self.store.delete(id).await } else { Ok(false) }
    }

    /// Tells of changed records, of others than this door's, too. `None` where the store cannot tell.
    pub fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        self.store.changes()
    }

    fn check(&self, id: &str) -> Result<()> {
        if self.has(id) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Internal, format!("a record of this door begins with `{}`", self.prefix)))
    }
}
