//! The records of requests, in a store of session records.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gateway_core::{ErrorKind, Result, SessionStore, StoredSession};
use sha2::{Digest as _, Sha256};

use crate::record::Record;

/// How long a request is remembered that nobody answers.
const UNANSWERED: Duration = Duration::from_secs(24 * 3600);

/// Finds records by the ids of their requests.
#[derive(Debug)]
pub(crate) struct Records {
    store: Arc<dyn SessionStore>,
    /// Whose requests these are: the name of their queue.
    queue: String,
    /// How long an answer is kept.
    keep: Duration,
}

/// A record as the store has it now.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub record: Record,
    pub revision: u64,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn SessionStore>, queue: &str, keep: Duration) -> Self {
        Self { store, queue: queue.to_owned(), keep }
    }

    pub(crate) async fn load(&self, request_id: &str) -> Result<Option<Kept>> {
        let Some(stored) = self.store.load(&self.key("req_", request_id.as_bytes())).await? else { return Ok(None) };
        Ok(Some(Kept { record: Record::decode(stored.data)?, revision: stored.revision }))
    }

    /// Keeps a new record; `None` where there is one by now.
    pub(crate) async fn create(&self, request_id: &str, record: Record) -> Result<Option<Kept>> {
        let session = self.stored(request_id, &record, 1)?;
        match self.store.create(session).await {
            Ok(()) => Ok(Some(Kept { record, revision: 1 })),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a record; `None` where it is another one by now, or gone.
    pub(crate) async fn save(&self, request_id: &str, kept: Kept) -> Result<Option<Kept>> {
        let session = self.stored(request_id, &kept.record, kept.revision)?;
        match self.store.save(session).await {
            Ok(revision) => Ok(Some(Kept { revision, ..kept })),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves what was loaded, or creates it where nothing was.
    pub(crate) async fn put(&self, request_id: &str, record: Record, revision: Option<u64>) -> Result<Option<Kept>> {
        match revision {
            Some(revision) => self.save(request_id, Kept { record, revision }).await,
            None => self.create(request_id, record).await,
        }
    }

    /// Forgets a request.
    pub(crate) async fn forget(&self, request_id: &str) -> Result<()> {
        self.store.delete(&self.key("req_", request_id.as_bytes())).await.map(drop)
    }

    /// Adds to how often a message with this payload has come again, and returns how often it has been
    /// delivered in all. The broker only says that it was delivered before.
    pub(crate) async fn count_delivery(&self, payload: &[u8], step: i64) -> Result<u32> {
        let id = self.key("dlv_", payload);
        loop {
            let stored = self.store.load(&id).await?;
            let before = stored.as_ref().and_then(|stored| parse_count(&stored.data)).unwrap_or(1);
            let count = u32::try_from((i64::from(before) + step).max(1)).unwrap_or(u32::MAX);
            let session = StoredSession {
                id: id.clone(),
                revision: stored.as_ref().map_or(1, |stored| stored.revision),
                expires_at: SystemTime::now() + UNANSWERED,
                data: Bytes::from(count.to_string()),
            };
            let saved = match stored {
                Some(_) => self.store.save(session).await.map(drop),
                None => self.store.create(session).await,
            };
            match saved {
                Ok(()) => return Ok(count),
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// An id of the store's alphabet, whatever the request's id is made of. Other queues may share the store.
    fn key(&self, prefix: &str, bytes: &[u8]) -> String {
        let hash = Sha256::new().chain_update(&self.queue).chain_update([0]).chain_update(bytes).finalize();
        hash.iter().fold(prefix.to_owned(), |mut key, byte| {
            // Writing to a string cannot fail.
            let _ = write!(key, "{byte:02x}");
            key
        })
    }

    fn stored(&self, request_id: &str, record: &Record, revision: u64) -> Result<StoredSession> {
        let life = if record.is_answered() { self.keep } else { UNANSWERED };
        Ok(StoredSession {
            id: self.key("req_", request_id.as_bytes()),
            revision,
            expires_at: SystemTime::now() + life,
            data: record.encode()?,
        })
    }
}

/// Unix milliseconds.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A span in milliseconds.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn parse_count(data: &[u8]) -> Option<u32> {
    std::str::from_utf8(data).ok()?.parse().ok()
}
