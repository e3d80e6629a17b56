//! The records of requests, in a bucket of keys and values.

use std::fmt::Write as _;

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store, UpdateErrorKind};
use bytes::Bytes;
use gateway_core::Result;
use sha2::{Digest as _, Sha256};

use crate::error::unavailable;
use crate::record::Record;

/// Finds records by the ids of their requests.
pub(crate) struct Records {
    pub store: Store,
}

/// A record as the broker has it now.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub record: Record,
    pub revision: u64,
}

/// An envelope that is kept beside a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    Request,
    Response,
}

impl Records {
    pub(crate) async fn load(&self, request_id: &str) -> Result<Option<Kept>> {
        let entry = self.store.entry(key(request_id)).await.map_err(unavailable("read a record"))?;
        match entry {
            Some(entry) if entry.operation == Operation::Put => {
                Ok(Some(Kept { record: Record::decode(&entry.value)?, revision: entry.revision }))
            }
            _ => Ok(None),
        }
    }

    /// Saves what was loaded, or creates it where nothing was; `None` where it is another one by now.
    pub(crate) async fn put(&self, request_id: &str, record: Record, revision: Option<u64>) -> Result<Option<Kept>> {
        let value = record.encode()?;
        let saved = match revision {
            Some(revision) => match self.store.update(key(request_id), value, revision).await {
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => return Ok(None),
                saved => saved.map_err(unavailable("write a record"))?,
            },
            None => match self.store.create(key(request_id), value).await {
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => return Ok(None),
                saved => saved.map_err(unavailable("write a record"))?,
            },
        };
        Ok(Some(Kept { record, revision: saved }))
    }

    /// Forgets a request.
    pub(crate) async fn forget(&self, request_id: &str) -> Result<()> {
        self.store.purge(key(request_id)).await.map_err(unavailable("forget a record"))
    }

    pub(crate) async fn envelope(&self, request_id: &str, which: Envelope) -> Result<Option<Bytes>> {
        self.store.get(which.key(request_id)).await.map_err(unavailable("read a record"))
    }

    pub(crate) async fn keep_envelope(&self, request_id: &str, which: Envelope, bytes: Bytes) -> Result<()> {
        self.store.put(which.key(request_id), bytes).await.map(drop).map_err(unavailable("write a record"))
    }
}

impl Envelope {
    fn key(self, request_id: &str) -> String {
        let suffix = match self {
            Self::Request => ".request",
            Self::Response => ".response",
        };
        key(request_id) + suffix
    }
}

/// A key of the broker's alphabet, whatever the request's id is made of.
fn key(request_id: &str) -> String {
    Sha256::digest(request_id).iter().fold(String::new(), |mut key, byte| {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
        key
    })
}
