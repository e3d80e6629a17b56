//! One session: its own list of servers and what it shows of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::catalogue::Catalogue;
use super::directory::Directory;
use super::fleet::Fleet;
use super::record::{Record, StoredServer, millis, now_ms, sync_interval, time};
use super::server::{Presence, Server};
use super::session_events::Audience;
use crate::{
    Prefix, RawJson, Result, ServerOffer, ServerSpec, ServerState, ServerStatus, ServerTools, SessionStatus,
    StoredSession,
};

/// A session in this process. The default session is the one without an id.
#[derive(Debug)]
pub(crate) struct Session {
    id: Option<String>,
    record: Record,
    last_accessed_ms: AtomicU64,
    expires_at_ms: AtomicU64,
    servers: ArcSwap<Vec<Arc<Server>>>,
    view: ArcSwapOption<View>,
    /// Those who hear what its servers say of their own accord.
    pub(super) audience: Arc<Audience>,
    /// Held while a caller changes the list of servers, connections of new servers included.
    pub(super) change: tokio::sync::Mutex<()>,
    pub(super) stored: Stored,
    /// Calls under way; while there are any it does not expire.
    calls: AtomicUsize,
    /// Cancelled when it has ended for good. Held in `ending` while that or the list of servers changes.
    pub(super) over: CancellationToken,
    ending: Mutex<()>,
    _place: Option<OwnedSemaphorePermit>,
}

/// What this process knows of the session's record in the store.
#[derive(Debug)]
pub(super) struct Stored {
    /// The revision that the live list stands for; 0 where the store has no record.
    pub(super) revision: AtomicU64,
    /// Held while record and list are brought together, and never while a server is waited for: what others
    /// did to the session arrives also while a caller changes it.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Servers in the record that this replica's servers file does not have.
    pub(super) unknown: Mutex<Vec<StoredServer>>,
    pub(super) synced_at_ms: AtomicU64,
    /// One synchronization at a time.
    pub(super) syncing: Mutex<bool>,
}

/// What a session shows at one moment: its servers, and the catalogue of their tools in the same
/// order.
#[derive(Debug)]
pub(crate) struct View {
    generation: u64,
    pub(crate) servers: Arc<Vec<Arc<Server>>>,
    tools: Vec<Arc<ServerTools>>,
    offers: Vec<Arc<ServerOffer>>,
    /// The places of the servers that had not told their tools when it was made; none joins them later, since a
    /// list that was read once stays known.
    unlisted: Vec<usize>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) directory: Arc<Directory>,
}

impl View {
    /// The servers whose tools are not known yet, with their places.
    pub(crate) fn unlisted(&self) -> impl Iterator<Item = (usize, &Arc<Server>)> {
        let servers = self.unlisted.iter().map(|&place| (place, &self.servers[place]));
        servers.filter(|(_, server)| is_unlisted(server))
    }
}

fn is_unlisted(server: &Server) -> bool {
    !server.is_listed() && !server.spec().disabled()
}

impl Session {
    /// The default session: no id, no end.
    pub(super) fn default_one(fleet: &Arc<Fleet>, specs: &[Arc<ServerSpec>], revision: u64) -> Self {
        let record = Record {
            owner: String::new(),
            created_at_ms: now_ms(),
            last_accessed_ms: now_ms(),
            ttl_ms: u64::MAX,
            metadata: RawJson::empty_object(),
            servers: Vec::new(),
        };
        let servers = specs.iter().map(|spec| fleet.acquire(spec, Presence::Kept)).collect();
        Self::assemble(None, record, revision, servers, None)
    }

    /// A session from its record, new or loaded, with these servers, which are not connected.
    pub(super) fn from_record(
        (fleet, specs): (&Arc<Fleet>, &[Arc<ServerSpec>]),
        id: String,
        record: Record,
        revision: u64,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let servers = specs.iter().map(|spec| fleet.acquire(spec, Presence::OnDemand)).collect();
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
        let expires_at_ms = record.expires_at_ms();
        let audience = Arc::<Audience>::default();
        for server in &servers {
            server.join(&audience);
        }
        Self {
            id,
            last_accessed_ms: AtomicU64::new(record.last_accessed_ms),
            expires_at_ms: AtomicU64::new(expires_at_ms),
            record,
            servers: ArcSwap::from_pointee(servers),
            view: ArcSwapOption::empty(),
            audience,
            change: tokio::sync::Mutex::default(),
            stored: Stored {
                revision: AtomicU64::new(revision),
                turn: tokio::sync::Mutex::default(),
                unknown: Mutex::default(),
                synced_at_ms: AtomicU64::new(now_ms()),
                syncing: Mutex::new(false),
            },
            calls: AtomicUsize::new(0),
            over: CancellationToken::new(),
            ending: Mutex::default(),
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

    /// Puts a new list in force.
    ///
    /// # Errors
    /// The list itself where the session has ended: what it was made of before has been given back
    /// then, and who adds must give back what is new.
    pub(super) fn set_servers(&self, servers: Vec<Arc<Server>>) -> std::result::Result<(), Vec<Arc<Server>>> {
        let _ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_ended() {
            return Err(servers);
        }
        for server in &servers {
            server.join(&self.audience);
        }
        let old = self.servers.swap(Arc::new(servers));
        let kept: HashSet<u64> = self.servers.load().iter().map(|server| server.id()).collect();
        for server in old.iter().filter(|old| !kept.contains(&old.id())) {
            server.leave(&self.audience);
        }
        Ok(())
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

    /// Notes the servers of its record that this replica does not know; whether they are others than before.
    pub(super) fn set_unknown(&self, servers: Vec<StoredServer>) -> bool {
        let mut unknown = self.stored.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *unknown != servers;
        *unknown = servers;
        is_news
    }

    /// Another replica says that it was used at `last_accessed_ms`.
    pub(super) fn hear_of_use(&self, last_accessed_ms: u64) {
        self.last_accessed_ms.fetch_max(last_accessed_ms, Ordering::Relaxed);
        self.expires_at_ms.fetch_max(last_accessed_ms.saturating_add(self.record.ttl_ms), Ordering::Relaxed);
    }

    /// Keeps it alive while a call is under way, however long that takes.
    pub(super) fn begin_call(&self) -> CallUnderWay<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        CallUnderWay(self)
    }

    pub(super) fn has_calls(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_expired(&self) -> bool {
        !self.has_calls() && self.expires_at_ms.load(Ordering::Relaxed) <= now_ms()
    }

    /// Whether it has been used within this time, or is in use.
    pub(super) fn is_used_within(&self, time: Duration) -> bool {
        self.has_calls() || self.last_accessed_ms.load(Ordering::Relaxed).saturating_add(millis(time)) >= now_ms()
    }

    /// How often it looks into the store while it is in use.
    pub(super) fn sync_interval(&self, store_tells: bool) -> Duration {
        sync_interval(self.record.ttl_ms, store_tells)
    }

    /// Marks it as gone for good; `None` where somebody did so before, else the servers that are to be
    /// given back.
    pub(super) fn end(&self) -> Option<Arc<Vec<Arc<Server>>>> {
        let _ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_ended() {
            return None;
        }
        self.over.cancel();
        self.audience.end();
        Some(self.servers())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.over.is_cancelled()
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
        let offers: Vec<_> = servers.iter().map(|server| server.offer()).collect();
        let before = current.as_ref().filter(|view| Arc::ptr_eq(&view.servers, &servers));
        let specs = || servers.iter().map(|server| server.spec());
        let replaced = current.as_ref().map(|view| &*view.catalogue);
        let catalogue = before
            .filter(|view| are_same(&view.tools, &tools))
            .map_or_else(|| fleet.catalogue(specs(), &tools, prefix, replaced), |view| Arc::clone(&view.catalogue));
        let directory = before
            .filter(|view| are_same(&view.offers, &offers))
            .map_or_else(|| fleet.directory(specs(), &offers, prefix), |view| Arc::clone(&view.directory));
        let unlisted = (0..servers.len()).filter(|&place| is_unlisted(&servers[place])).collect();
        let servers = Arc::clone(&servers);
        let view = Arc::new(View { generation, servers, tools, offers, unlisted, catalogue, directory });
        self.view.store(Some(Arc::clone(&view)));
        view
    }

    /// Its record as the store should have it, with these servers.
    pub(super) fn to_stored(&self, servers: &[Arc<Server>], keeps_secrets: bool) -> Result<StoredSession> {
        let unknown = self.stored.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = servers.iter().map(|server| StoredServer::new(server.spec(), keeps_secrets));
        let record = Record {
            last_accessed_ms: self.last_accessed_ms.load(Ordering::Relaxed),
            servers: known.chain(unknown).collect(),
            ..self.record.clone()
        };
        let id = self.id.clone().unwrap_or_default();
        record.to_stored(id, self.stored.revision.load(Ordering::Acquire))
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

/// A call under way in a session; its end is a use as its beginning was.
pub(super) struct CallUnderWay<'a>(&'a Session);

impl Drop for CallUnderWay<'_> {
    fn drop(&mut self) {
        // First, so that the session is never without both.
        self.0.touch();
        self.0.calls.fetch_sub(1, Ordering::Release);
    }
}

impl Stored {
    /// Whether it is time to synchronize.
    pub(super) fn is_due(&self, every: Duration) -> bool {
        now_ms() >= self.synced_at_ms.load(Ordering::Relaxed).saturating_add(millis(every))
    }

    /// Takes the turn to synchronize, where it is due and nobody else does it.
    pub(super) fn begin(&self, every: Duration) -> Option<Turn<'_>> {
        if !self.is_due(every) {
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

/// The condition of a server that this process has not connected.
pub(super) fn describe_resting(spec: Arc<ServerSpec>, tools: Option<&ServerTools>) -> ServerStatus {
    ServerStatus {
        state: ServerState::at_rest(&spec),
        spec,
        last_error: None,
        stderr_tail: Vec::new(),
        tools: tools.into_iter().flat_map(ServerTools::tools).map(|tool| tool.name().to_owned()).collect(),
        rejected: tools.map_or_else(Vec::new, |tools| tools.rejected().to_vec()),
        warnings: tools.map_or_else(Vec::new, |tools| tools.warnings().to_vec()),
        protocol_version: None,
        process_id: None,
        about: tools.map_or_else(String::new, |tools| tools.about().to_owned()),
    }
}

/// Whether both lists have the same entries.
fn are_same<T>(one: &[Arc<T>], other: &[Arc<T>]) -> bool {
    one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// The condition of several servers.
pub(crate) fn describe(servers: &[Arc<Server>]) -> Vec<ServerStatus> {
    servers.iter().map(|server| server.describe()).collect()
}
