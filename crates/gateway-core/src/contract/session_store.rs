//! Where session records are kept.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use crate::Result;

/// Keeps session records: opaque bytes under an id, with a revision and an end of life. Besides sessions (`sess_…`) these
/// are what the engine and the doors want to find again after a restart or on another replica, each under a
/// prefix of its own.
///
/// Every method is safe to repeat after an error. A record past its
/// [`expires_at`](StoredSession::expires_at) may be missing from answers, and must be missing some time
/// after. Dropping a future leaves the record either as before or as wanted, never between.
///
/// To write your own: implement this for a client of your database and run `gateway_testkit`'s
/// session-store suite on it.
#[async_trait]
pub trait SessionStore: Debug + Send + Sync + 'static {
    /// Keeps a new record with revision 1; what `session.revision` says is ignored.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) where the id exists;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn create(&self, session: StoredSession) -> Result<()>;

    /// The record with this id, or `None`.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn load(&self, id: &str) -> Result<Option<StoredSession>>;

    /// Replaces the record if its revision is still `session.revision`, and returns the new revision,
    /// which is one higher.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) where the revision is another one,
    /// [`NotFound`](crate::ErrorKind::NotFound) where there is no such record,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn save(&self, session: StoredSession) -> Result<u64>;

    /// Removes the record; `false` where there was none.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn delete(&self, id: &str) -> Result<bool>;

    /// All records whose ids begin with `prefix` and that have not expired, in order of their ids.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>>;

    /// Tells of records that some process has created, saved or deleted, within a second; of this process's own
    /// changes, too. `None` where the store cannot tell: then the engine looks now and then.
    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        None
    }

    /// Whether nobody can read in the store what it keeps: it is this process's memory, or encrypts. Where it is not, the
    /// engine keeps no secret there (a server's `env` and `headers`) and refuses a server that has some.
    fn keeps_secrets(&self) -> bool {
        false
    }
}

/// What a store tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// The record with this id may be another one now, or gone.
    One(Arc<str>),
    /// Any record may be: the store could not tell for a while.
    Any,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its id: 1 to 128 characters of `[A-Za-z0-9_-]`.
    pub id: String,
    /// Rises by one with every save.
    pub revision: u64,
    /// When it ends; kept to the millisecond.
    pub expires_at: SystemTime,
    /// What it says; opaque to the store.
    pub data: Bytes,
}

impl StoredSession {
    /// Whether a record can have this id: 1 to 128 characters of `[A-Za-z0-9_-]`. A store that meets
    /// another text need not ask its database.
    pub fn is_id(text: &str) -> bool {
        let of_ids = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (1..=128).contains(&text.len()) && text.bytes().all(of_ids)
    }
}
