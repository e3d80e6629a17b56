//! One session: its own list of servers and what it shows of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::catalogue::Catalogue;
use super::fleet::Fleet;
use super::server::{Presence, Server};
use crate::{Error, ErrorKind, Prefix, RawJson, Result, ServerSpec, ServerStatus, SessionStatus, StoredSession};

/// A session in this process. The default session is the one without an id.
#[derive(Debug)]
pub(crate) struct Session {
    id: Option<String>,
    record: Record,
    last_accessed_ms: AtomicU64,
    expires_at_ms: AtomicU64,
    servers: ArcSwap<Vec<Arc<Server>>>,
    view: ArcSwapOption<View>,
    /// Held while the list of servers is being changed, connections of new servers included.
    pub(super) change: tokio::sync::Mutex<()>,
    pub(super) stored: Stored,
    ended: AtomicBool,
    _place: Option<OwnedSemaphorePermit>,
}

/// What this process knows of the session's record in the store.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) revision: AtomicU64,
    pub(super) synced_at_ms: AtomicU64,
    /// One synchronization at a time.
    pub(super) syncing: Mutex<bool>,
}

/// A session as the store keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) owner: String,
    pub(super) created_at_ms: u64,
    pub(super) last_accessed_ms: u64,
    pub(super) ttl_ms: u64,
    pub(super) metadata: RawJson,
    /// Only what the store had; the live list is [`Session::servers`].
    pub(super) servers: Vec<ServerSpec>,
}

/// What a session shows at one moment: its servers, and the catalogue of their tools in the same
/// order.
#[derive(Debug)]
pub(crate) struct View {
    generation: u64,
    pub(crate) servers: Arc<Vec<Arc<Server>>>,
    tools: Vec<Arc<crate::ServerTools>>,
    pub(crate) catalogue: Arc<Catalogue>,
}

impl Session {
    /// The default session: no id, no end.
    pub(super) fn default_one(fleet: &Arc<Fleet>, specs: &[Arc<ServerSpec>]) -> Self {
        let record = Record {
            owner: String::new(),
            created_at_ms: now_ms(),
            last_accessed_ms: now_ms(),
            ttl_ms: u64::MAX,
            metadata: RawJson::empty_object(),
            servers: Vec::new(),
        };
        let servers = specs.iter().map(|spec| fleet.acquire(spec, Presence::Kept)).collect();
        Self::assemble(None, record, 0, servers, None)
    }

    /// A session from its record, new or loaded. Its servers are not connected.
    pub(super) fn from_record(
        fleet: &Arc<Fleet>,
        id: String,
        record: Record,
        revision: u64,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let servers =
            record.servers.iter().map(|spec| fleet.acquire(&Arc::new(spec.clone()), Presence::OnDemand)).collect();
        Self::assemble(Some(id), record, revision, servers, place)
    }

    fn assemble(
        id: Option<String>,
        mut record: Record,
        revision: u64,
        servers: Vec<Arc<Server>>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        // The live list is the only one from here on.
        record.servers = Vec::new();
        let expires_at_ms = record.last_accessed_ms.saturating_add(record.ttl_ms);
        Self {
            id,
            last_accessed_ms: AtomicU64::new(record.last_accessed_ms),
            expires_at_ms: AtomicU64::new(expires_at_ms),
            record,
            servers: ArcSwap::from_pointee(servers),
            view: ArcSwapOption::empty(),
            change: tokio::sync::Mutex::default(),
            stored: Stored {
                revision: AtomicU64::new(revision),
                synced_at_ms: AtomicU64::new(now_ms()),
                syncing: Mutex::new(false),
            },
            ended: AtomicBool::new(false),
            _place: place,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn owner(&self) -> &str {
        &self.record.owner
    }

    /// Its servers as they are now.
    pub(crate) fn servers(&self) -> Arc<Vec<Arc<Server>>> {
        self.servers.load_full()
    }

    pub(super) fn set_servers(&self, servers: Vec<Arc<Server>>) {
        self.servers.store(Arc::new(servers));
    }

    /// How a server that this session gets from now on is kept.
    pub(super) fn presence(&self) -> Presence {
        if self.id.is_none() { Presence::Kept } else { Presence::OnDemand }
    }

    /// Marks its use.
    pub(super) fn touch(&self) {
        let now = now_ms();
        self.last_accessed_ms.store(now, Ordering::Relaxed);
        self.expires_at_ms.store(now.saturating_add(self.record.ttl_ms), Ordering::Relaxed);
    }

    pub(super) fn is_expired(&self) -> bool {
        self.expires_at_ms.load(Ordering::Relaxed) <= now_ms()
    }

    /// Marks it as gone for good; `false` where somebody did so before.
    pub(super) fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What it shows now. Costs one comparison while nothing has changed.
    pub(crate) fn view(&self, fleet: &Fleet, prefix: Prefix) -> Arc<View> {
        let generation = fleet.generation();
        let servers = self.servers.load();
        let current = self.view.load();
        if let Some(view) = &*current
            && view.generation == generation
            && Arc::ptr_eq(&view.servers, &servers)
        {
            return Arc::clone(view);
        }
        let tools: Vec<_> = servers.iter().map(|server| server.tools()).collect();
        let kept = current.as_ref().filter(|view| {
            Arc::ptr_eq(&view.servers, &servers)
                && view.tools.iter().zip(&tools).all(|(old, new)| Arc::ptr_eq(old, new))
        });
        let catalogue = kept.map_or_else(
            || fleet.catalogue(servers.iter().map(|server| server.spec()), &tools, prefix),
            |view| Arc::clone(&view.catalogue),
        );
        let view = Arc::new(View { generation, servers: Arc::clone(&servers), tools, catalogue });
        self.view.store(Some(Arc::clone(&view)));
        view
    }

    /// Its record as the store should have it.
    pub(super) fn to_stored(&self) -> Result<StoredSession> {
        let record = Record {
            last_accessed_ms: self.last_accessed_ms.load(Ordering::Relaxed),
            servers: self.servers.load().iter().map(|server| (**server.spec()).clone()).collect(),
            ..self.record.clone()
        };
        Ok(StoredSession {
            id: self.id.clone().unwrap_or_default(),
            revision: self.stored.revision.load(Ordering::Acquire),
            expires_at: time(self.expires_at_ms.load(Ordering::Relaxed)),
            data: record.to_bytes()?,
        })
    }

    /// All that is known of it.
    pub(super) fn describe(&self) -> SessionStatus {
        SessionStatus {
            id: self.id.clone().unwrap_or_default(),
            created_at: time(self.record.created_at_ms),
            last_accessed: time(self.last_accessed_ms.load(Ordering::Relaxed)),
            expires_at: time(self.expires_at_ms.load(Ordering::Relaxed)),
            metadata: self.record.metadata.clone(),
            servers: describe(&self.servers.load()),
        }
    }
}

impl Record {
    pub(super) fn to_bytes(&self) -> Result<Bytes> {
        serde_json::to_vec(self)
            .map(Bytes::from)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the session's record").with_source(error))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot read the session's record").with_source(error))
    }
}

impl Stored {
    /// Takes the turn to synchronize, where it is due and nobody else does it.
    pub(super) fn begin(&self, every: Duration) -> Option<Turn<'_>> {
        let due = self.synced_at_ms.load(Ordering::Relaxed).saturating_add(millis(every));
        if now_ms() < due {
            return None;
        }
        let mut syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if *syncing {
            return None;
        }
        *syncing = true;
        Some(Turn(self))
    }
}

/// The turn to synchronize; given back when dropped, also when the caller gave up.
pub(super) struct Turn<'a>(&'a Stored);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.synced_at_ms.store(now_ms(), Ordering::Relaxed);
        *self.0.syncing.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// The condition of several servers.
pub(crate) fn describe(servers: &[Arc<Server>]) -> Vec<ServerStatus> {
    servers.iter().map(|server| server.describe()).collect()
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
