//! The store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, RecordChange, Result, SessionStore, StoredSession};
use tokio::sync::broadcast;

use crate::SealingKeys;
use crate::sealing_keys::Opened;

/// The id of the record that says with which key a store is sealed.
const SENTINEL: &str = "seal";

/// What that record says.
const SENTINEL_TEXT: &[u8] = b"the records of this store are sealed";

/// When that record ends: in the year 9999.
const SENTINEL_END: Duration = Duration::from_secs(253_402_300_799);

/// How often another replica may be in the way while the store is opened.
const ATTEMPTS: usize = 5;

/// Encrypts session records on their way into another store, and decrypts them on their way back.
///
/// A record named `seal` tells with which key: a store that was sealed with another key is not opened. It is not
/// shown to whoever asks this store. A single record that cannot be opened is an error to who loads it, and is left
/// out of lists.
#[derive(Debug)]
pub struct SealedStore {
    inner: Arc<dyn SessionStore>,
    keys: SealingKeys,
}

impl SealedStore {
    /// Seals what goes into `inner` from now on. A store that is new, or was sealed with one of these keys, is
    /// opened; where it was a previous key, the current one is the store's from now on.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) where the records of `inner` were sealed with another key or not at all: none
    /// was changed. [`Unavailable`](ErrorKind::Unavailable) where it cannot be reached.
    pub async fn open(inner: Arc<dyn SessionStore>, keys: SealingKeys) -> Result<Self> {
        let store = Self { inner, keys };
        for _ in 0..ATTEMPTS {
            let marked = match store.inner.load(SENTINEL).await? {
                Some(sentinel) => store.check(sentinel).await,
                None => store.mark().await,
            };
            match marked {
                // Another replica does the same at this moment: see what it did.
                Err(Busy::Replica) => {}
                Err(Busy::Failed(error)) => return Err(error),
                Ok(()) => return Ok(store),
            }
        }
        let message = "cannot open the store: others keep changing its record \"seal\"";
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Whether the store was sealed with one of our keys.
    async fn check(&self, sentinel: StoredSession) -> Result<(), Busy> {
        match self.keys.open(SENTINEL, &sentinel.data) {
            Opened::Current(text) if text == SENTINEL_TEXT => Ok(()),
            Opened::Previous(text) if text == SENTINEL_TEXT => {
                let renewed = StoredSession { data: self.keys.seal(SENTINEL, SENTINEL_TEXT)?, ..sentinel };
                self.inner.save(renewed).await.map(drop).map_err(raced)
            }
            Opened::Unsealed => Err(unsealed(SENTINEL).into()),
            _ => Err(other_key("").into()),
        }
    }

    /// Seals a store that was never sealed: only where there is nothing in it that we could not read.
    async fn mark(&self) -> Result<(), Busy> {
        for record in self.inner.list("").await? {
            if record.id != SENTINEL {
                self.opened(record)?;
            }
        }
        let sentinel = StoredSession {
            id: SENTINEL.to_owned(),
            revision: 1,
            expires_at: SystemTime::UNIX_EPOCH + SENTINEL_END,
            data: self.keys.seal(SENTINEL, SENTINEL_TEXT)?,
        };
        self.inner.create(sentinel).await.map_err(raced)
    }

    fn sealed(&self, record: StoredSession) -> Result<StoredSession> {
        Ok(StoredSession { data: self.keys.seal(&record.id, &record.data)?, ..record })
    }

    fn opened(&self, record: StoredSession) -> Result<StoredSession> {
        match self.keys.open(&record.id, &record.data) {
            Opened::Current(data) | Opened::Previous(data) => Ok(StoredSession { data, ..record }),
            Opened::Foreign => Err(other_key(&format!(" (found at record {:?})", record.id))),
            Opened::Unsealed => Err(unsealed(&record.id)),
        }
    }
}

#[async_trait]
impl SessionStore for SealedStore {
    async fn create(&self, session: StoredSession) -> Result<()> {
        if session.id == SENTINEL {
            let message = "create record \"seal\": it tells with which key the store is sealed";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        self.inner.create(self.sealed(session)?).await
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        if id == SENTINEL {
            return Ok(None);
        }
        self.inner.load(id).await?.map(|record| self.opened(record)).transpose()
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        if session.id == SENTINEL {
            return Err(Error::new(ErrorKind::NotFound, "save record \"seal\": there is no such record"));
        }
        self.inner.save(self.sealed(session)?).await
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        if id == SENTINEL {
            return Ok(false);
        }
        self.inner.delete(id).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        let records = self.inner.list(prefix).await?;
        let (mut opened, mut skipped, mut first) = (Vec::with_capacity(records.len()), 0_usize, None);
        for record in records.into_iter().filter(|record| record.id != SENTINEL) {
            match self.opened(record) {
                Ok(record) => opened.push(record),
                Err(error) => {
                    skipped += 1;
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first {
            // What one record says must not hide the others; who asks for it hears what is wrong with it.
            tracing::warn!(skipped, %error, "records that cannot be opened are left out of a list");
        }
        Ok(opened)
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        self.inner.changes()
    }

    fn keeps_secrets(&self) -> bool {
        true
    }
}

/// Why a store could not be opened.
enum Busy {
    /// Another replica was faster.
    Replica,
    /// It cannot be opened at all.
    Failed(Error),
}

/// What it means that the record `seal` could not be written.
fn raced(error: Error) -> Busy {
    match error.kind() {
        ErrorKind::Conflict | ErrorKind::NotFound => Busy::Replica,
        _ => Busy::Failed(error),
    }
}

impl From<Error> for Busy {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn other_key(found: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "the records of this store were sealed with another key (storage.encryption_key), or changed since{found}; \
             nothing was overwritten: give the key they were sealed with, also as a previous key, or use an empty store"
        ),
    )
}

fn unsealed(id: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "record {id:?} of this store is not sealed, although a key is given (storage.encryption_key); nothing was \
             overwritten: use an empty store, or go on without a key"
        ),
    )
}
