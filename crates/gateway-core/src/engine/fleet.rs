//! What all servers of the process share: transports, room for processes, tools already known.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::server::{Presence, Server};
use crate::{EngineConfig, Error, ErrorKind, Prefix, Result, ServerSpec, ServerTools, Transport};

/// The live servers of the process and what they have in common.
#[derive(Debug)]
pub(crate) struct Fleet {
    transports: HashMap<String, Arc<dyn Transport>>,
    processes: Arc<Semaphore>,
    max_processes: usize,
    session_idle_timeout_ms: u64,
    /// Rises whenever some server's tools change, so that sessions know when to look.
    generation: AtomicU64,
    /// Tools by the identity of the spec that they come from. A session's server shows the tools of
    /// its twin in another session without being started.
    known: Mutex<HashMap<Uuid, Weak<ServerTools>>>,
    /// Catalogues by what they are made of, so that sessions with equal servers share one.
    catalogues: Mutex<HashMap<u64, Weak<Catalogue>>>,
    /// Stops every server; cancelled when the gateway is gone without a shutdown.
    pub(super) stop: CancellationToken,
    /// Servers that sessions share, with the number of sessions that hold each.
    shared: Mutex<HashMap<Uuid, (Arc<Server>, usize)>>,
}

impl Fleet {
    pub(super) fn new(config: &EngineConfig, transports: Vec<Arc<dyn Transport>>) -> Self {
        let by_name = transports.into_iter().map(|one| (one.name().to_owned(), one)).collect();
        Self {
            transports: by_name,
            processes: Arc::new(Semaphore::new(config.max_processes)),
            max_processes: config.max_processes,
            session_idle_timeout_ms: config.session_idle_timeout_ms,
            generation: AtomicU64::new(1),
            known: Mutex::default(),
            catalogues: Mutex::default(),
            stop: CancellationToken::new(),
            shared: Mutex::default(),
        }
    }

    /// A server for one more session.
    pub(super) fn acquire(self: &Arc<Self>, spec: &Arc<ServerSpec>, presence: Presence) -> Arc<Server> {
        let new = || Arc::new(Server::new(Arc::clone(spec), presence, Arc::clone(self)));
        if !spec.shared() {
            return new();
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (server, holders) = shared.entry(spec.uuid()).or_insert_with(|| (new(), 0));
        *holders += 1;
        Arc::clone(server)
    }

    /// Gives a server back; ends it where no other session holds it.
    pub(super) async fn release(&self, server: &Arc<Server>) {
        if server.spec().shared() && !self.let_go(server) {
            return;
        }
        server.end().await;
    }

    /// Whether nobody holds this shared server any more.
    fn let_go(&self, server: &Arc<Server>) -> bool {
        let uuid = server.spec().uuid();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, holders)) = shared.get_mut(&uuid) else { return true };
        *holders -= 1;
        let last = *holders == 0;
        if last {
            shared.remove(&uuid);
        }
        last
    }

    pub(super) fn transport(&self, name: &str) -> Result<&Arc<dyn Transport>> {
        self.transports.get(name).ok_or_else(|| {
            let mut known: Vec<_> = self.transports.keys().map(String::as_str).collect();
            known.sort_unstable();
            Error::new(
                ErrorKind::InvalidRequest,
                format!("there is no transport `{name}`; this gateway has: {}", known.join(", ")),
            )
        })
    }

    /// Room for one child process, where the server needs one.
    pub(super) fn process_permit(&self, spec: &ServerSpec) -> Result<Option<OwnedSemaphorePermit>> {
        if !spec.is_command() {
            return Ok(None);
        }
        Arc::clone(&self.processes).try_acquire_owned().map(Some).map_err(|_| {
            let max = self.max_processes;
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "all {max} child processes that the gateway may run are in use; \
                     delete sessions that nobody needs or raise sessions.max_processes"
                ),
            )
        })
    }

    /// Child processes under way.
    pub(super) fn processes(&self) -> usize {
        self.max_processes - self.processes.available_permits().min(self.max_processes)
    }

    /// How long a connection may stand unused.
    pub(super) fn idle_timeout(&self, spec: &ServerSpec, presence: Presence) -> Option<Duration> {
        let own = spec.limits().idle_timeout_ms;
        let millis = match presence {
            _ if own > 0 => own,
            Presence::OnDemand => self.session_idle_timeout_ms,
            Presence::Kept => 0,
        };
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn catalogue_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn known_tools(&self, spec: &ServerSpec) -> Option<Arc<ServerTools>> {
        self.known_map().get(&spec.uuid()).and_then(Weak::upgrade)
    }

    /// The tools to keep for a spec: those known already where the content is the same.
    pub(super) fn share_tools(&self, spec: &ServerSpec, tools: ServerTools) -> Arc<ServerTools> {
        let mut known = self.known_map();
        let twin = known.get(&spec.uuid()).and_then(Weak::upgrade);
        if let Some(twin) = twin
            && twin.content_hash() == tools.content_hash()
            && twin.warnings() == tools.warnings()
            && twin.rejected() == tools.rejected()
        {
            return twin;
        }
        known.retain(|_, tools| tools.strong_count() > 0);
        let tools = Arc::new(tools);
        known.insert(spec.uuid(), Arc::downgrade(&tools));
        tools
    }

    /// The catalogue of these servers with these tools, made once for all sessions that see it.
    pub(super) fn catalogue<'a>(
        &self,
        specs: impl Iterator<Item = &'a Arc<ServerSpec>>,
        tools: &[Arc<ServerTools>],
        prefix: Prefix,
    ) -> Arc<Catalogue> {
        let servers: Vec<_> = specs.cloned().zip(tools.iter().cloned()).collect();
        let mut hasher = DefaultHasher::new();
        for (spec, tools) in &servers {
            (spec.uuid(), tools.content_hash()).hash(&mut hasher);
        }
        let key = hasher.finish();
        if let Some(known) = self.catalogue_map().get(&key).and_then(Weak::upgrade) {
            return known;
        }
        // Made without the lock: many tools take milliseconds.
        let made = Arc::new(Catalogue::new(servers, prefix));
        let mut catalogues = self.catalogue_map();
        if let Some(known) = catalogues.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        catalogues.retain(|_, catalogue| catalogue.strong_count() > 0);
        catalogues.insert(key, Arc::downgrade(&made));
        made
    }

    fn catalogue_map(&self) -> MutexGuard<'_, HashMap<u64, Weak<Catalogue>>> {
        self.catalogues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_map(&self) -> MutexGuard<'_, HashMap<Uuid, Weak<ServerTools>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
