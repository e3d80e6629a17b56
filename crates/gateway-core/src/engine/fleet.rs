//! What all servers of the process share: transports, room for processes, tools already known.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::server::{Presence, Server};
use crate::{EngineConfig, Era, Error, ErrorKind, Prefix, Result, ServerSpec, ServerTools, Transport};

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
    known: Mutex<HashMap<Uuid, Known>>,
    /// Catalogues by what they are made of, so that sessions with equal servers share one.
    catalogues: Mutex<HashMap<u64, Weak<Catalogue>>>,
    /// Stops every server; cancelled when the gateway is gone without a shutdown.
    pub(super) stop: CancellationToken,
    /// Servers that sessions share, with the number of sessions that hold each.
    shared: Mutex<HashMap<Uuid, (Arc<Server>, usize)>>,
    /// Servers that are being ended, also where nobody waits for that any more.
    endings: TaskTracker,
}

/// What is known of all servers with one spec while one of them lives.
#[derive(Debug)]
struct Known {
    tools: Weak<ServerTools>,
    era: Era,
}

/// Longer than any idle time that means something, and short enough to be added to an instant.
const LONGEST_IDLE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Fleet {
    pub(super) fn new(config: &EngineConfig, transports: Vec<Arc<dyn Transport>>) -> Self {
        let endings = TaskTracker::new();
        // A closed tracker still takes tasks; it only lets `ended` return.
        endings.close();
        let max_processes = config.max_processes.min(Semaphore::MAX_PERMITS);
        let by_name = transports.into_iter().map(|one| (one.name().to_owned(), one)).collect();
        Self {
            transports: by_name,
            processes: Arc::new(Semaphore::new(max_processes)),
            max_processes,
            session_idle_timeout_ms: config.session_idle_timeout_ms,
            generation: AtomicU64::new(1),
            known: Mutex::default(),
            catalogues: Mutex::default(),
            stop: CancellationToken::new(),
            shared: Mutex::default(),
            endings,
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

    /// Gives servers back, side by side, and waits until those have ended that no other session holds.
    pub(super) async fn release(&self, servers: &[Arc<Server>]) {
        for ending in self.let_end(servers) {
            // Only the runtime's own end can stop it.
            let _ = ending.await;
        }
    }

    /// Gives servers back, each once for each time it was acquired. Those that nobody holds any more end
    /// by themselves, also where nobody waits for that.
    pub(super) fn let_end(&self, servers: &[Arc<Server>]) -> Vec<JoinHandle<()>> {
        let unheld = servers.iter().filter(|server| !server.spec().shared() || self.let_go(server));
        let end = |server: &Arc<Server>| {
            let server = Arc::clone(server);
            self.endings.spawn(async move { server.end().await })
        };
        unheld.map(end).collect()
    }

    /// Waits until every server that was given back has ended.
    pub(super) async fn ended(&self) {
        self.endings.wait().await;
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
        (millis > 0).then(|| Duration::from_millis(millis).min(LONGEST_IDLE))
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn catalogue_changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// The tools and the era of a living twin.
    pub(super) fn known(&self, spec: &ServerSpec) -> Option<(Arc<ServerTools>, Era)> {
        self.known_map().get(&spec.uuid()).and_then(|known| Some((known.tools.upgrade()?, known.era)))
    }

    /// The tools to keep for a spec: those known already where the content is the same.
    pub(super) fn share_tools(&self, spec: &ServerSpec, tools: ServerTools, era: Era) -> Arc<ServerTools> {
        let mut known = self.known_map();
        let twin = known.get(&spec.uuid()).and_then(|known| known.tools.upgrade());
        let twin = twin.filter(|twin| {
            twin.content_hash() == tools.content_hash()
                && twin.warnings() == tools.warnings()
                && twin.rejected() == tools.rejected()
        });
        known.retain(|_, known| known.tools.strong_count() > 0);
        let tools = twin.unwrap_or_else(|| Arc::new(tools));
        known.insert(spec.uuid(), Known { tools: Arc::downgrade(&tools), era });
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
        let known = self.catalogue_map().get(&key).and_then(Weak::upgrade);
        // A hash is no proof, and what stands behind it may come from somebody who looks for collisions.
        if let Some(known) = known.filter(|known| known.is_of(&servers)) {
            return known;
        }
        // Made without the lock: many tools take milliseconds.
        let made = Arc::new(Catalogue::new(servers, prefix));
        let mut catalogues = self.catalogue_map();
        let meanwhile = catalogues.get(&key).and_then(Weak::upgrade);
        if let Some(known) = meanwhile.filter(|known| known.is_same(&made)) {
            return known;
        }
        catalogues.retain(|_, catalogue| catalogue.strong_count() > 0);
        catalogues.insert(key, Arc::downgrade(&made));
        made
    }

    fn catalogue_map(&self) -> MutexGuard<'_, HashMap<u64, Weak<Catalogue>>> {
        self.catalogues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_map(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
