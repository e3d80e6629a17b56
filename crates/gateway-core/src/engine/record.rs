//! A session as the store keeps it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fleet::Fleet;
use super::session::describe_resting;
use crate::{Error, ErrorKind, RawJson, Result, ServerSpec, SessionStatus, StoredSession};

/// A session in use looks into the store this often, for what other replicas did, and to renew its
/// end of life there; one with a short life more often.
pub(super) const SYNC_EVERY: Duration = Duration::from_secs(5);

/// Where the store tells of changes there is only the end of life to renew: seldom enough that ten thousand sessions
/// in use are some hundred writes a second.
const RENEW_EVERY: Duration = Duration::from_secs(30);

/// How often a session that lives for `ttl_ms` without use looks into a store that tells of changes, or into one that
/// does not. A short life is renewed more often: what the store knows is out by a hundredth of it, or by this.
pub(super) fn sync_interval(ttl_ms: u64, store_tells: bool) -> Duration {
    let ttl = Duration::from_millis(ttl_ms);
    let usual = if store_tells { (ttl / 100).clamp(SYNC_EVERY, RENEW_EVERY) } else { SYNC_EVERY };
    usual.min(ttl / 4)
}

/// A session as the store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) owner: String,
    pub(super) created_at_ms: u64,
    pub(super) last_accessed_ms: u64,
    pub(super) ttl_ms: u64,
    pub(super) metadata: RawJson,
    /// Only what the store had; the live list is [`Session::servers`](super::session::Session::servers).
    pub(super) servers: Vec<StoredServer>,
}

/// A server of a session as the store keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredServer {
    /// All that it is.
    Spec(Box<ServerSpec>),
    /// One of the servers file, which has secrets, in a store that keeps none: who reads it finds the rest in the file.
    OfFile {
        /// Its identity.
        uuid: Uuid,
        /// Its name, which counts where the file has it otherwise by now.
        name: String,
    },
}

/// The servers of a record, as far as this replica knows what they are.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) specs: Vec<Arc<ServerSpec>>,
    /// Those of another servers file than this replica's. They stay in the record.
    pub(super) unknown: Vec<StoredServer>,
}

impl StoredServer {
    /// The server for a store that keeps secrets, or keeps none.
    pub(super) fn new(spec: &ServerSpec, keeps_secrets: bool) -> Self {
        if keeps_secrets || !spec.has_secrets() {
            return Self::Spec(Box::new(spec.clone()));
        }
        Self::OfFile { uuid: spec.uuid(), name: spec.name().to_owned() }
    }
}

impl Resolved {
    /// What `servers` are, with the servers file at hand.
    pub(super) fn new(servers: Vec<StoredServer>, file: &[Arc<ServerSpec>]) -> Self {
        let mut resolved = Self::default();
        for server in servers {
            let (uuid, name) = match server {
                StoredServer::Spec(spec) => {
                    resolved.specs.push(Arc::from(spec));
                    continue;
                }
                StoredServer::OfFile { uuid, name } => (uuid, name),
            };
            let same = file.iter().find(|spec| spec.uuid() == uuid);
            match same.or_else(|| file.iter().find(|spec| spec.name() == name)) {
                Some(spec) => resolved.specs.push(Arc::clone(spec)),
                None => resolved.unknown.push(StoredServer::OfFile { uuid, name }),
            }
        }
        resolved
    }

    /// Says which servers are left out.
    pub(super) fn warn(&self, session: &str) {
        for server in &self.unknown {
            if let StoredServer::OfFile { name, .. } = server {
                tracing::warn!(
                    session,
                    server = name,
                    "a server of this session is left out: the session store keeps no secrets, and the servers file of this \
                     replica does not have it"
                );
            }
        }
    }
}

impl Record {
    /// When it ends unless it is used.
    pub(super) fn expires_at_ms(&self) -> u64 {
        self.last_accessed_ms.saturating_add(self.ttl_ms)
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires_at_ms() <= now_ms()
    }

    /// The record for the store, which keeps it longer than the session lives: it learns of a use only
    /// after a while.
    pub(super) fn to_stored(&self, id: String, revision: u64) -> Result<StoredSession> {
        let data = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the session's record").with_source(error))?;
        let expires_at =
            time(self.expires_at_ms().saturating_add(millis(2 * SYNC_EVERY.max(sync_interval(self.ttl_ms, true)))));
        Ok(StoredSession { id, revision, expires_at, data: data.into() })
    }

    /// What is known of a session that lives in the store and not in this process.
    pub(super) fn describe(self, fleet: &Fleet, id: String, file: &[Arc<ServerSpec>]) -> SessionStatus {
        let expires_at = time(self.expires_at_ms());
        let servers = Resolved::new(self.servers, file).specs.into_iter().map(|spec| {
            let tools = fleet.known(&spec).map(|(tools, _)| tools).or_else(|| fleet.seed(&spec));
            describe_resting(spec, tools.as_deref())
        });
        SessionStatus {
            id,
            created_at: time(self.created_at_ms),
            last_accessed: time(self.last_accessed_ms),
            expires_at,
            metadata: self.metadata,
            servers: servers.collect(),
        }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot read the session's record").with_source(error))
    }
}

/// Now, in Unix milliseconds.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time from Unix milliseconds; the end of the year 9999 where it is beyond.
pub(super) fn time(unix_ms: u64) -> SystemTime {
    const YEAR_9999: u64 = 253_402_300_799_000;
    SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms.min(YEAR_9999))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lives_are_renewed_seldom_and_short_ones_in_time() {
        let check = |ttl_s: u64, tells, expected_ms| {
            let found = sync_interval(ttl_s * 1000, tells);
            assert_eq!(millis(found), expected_ms, "a life of {ttl_s} s, the store tells: {tells}");
        };
        check(3600, true, 30_000);
        check(3600, false, 5_000);
        check(1000, true, 10_000);
        check(60, true, 5_000);
        check(2, true, 500);
        check(0, false, 0);
    }
}
