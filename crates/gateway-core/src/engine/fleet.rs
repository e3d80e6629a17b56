//! What all servers of the process share: transports, room for processes, tools already known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::catalogue::{Catalogue, hash_of};
use super::directory::Directory;
use super::interned::Interned;
use super::seeds::Seeds;
use super::server::{Presence, Server};
use crate::{
    EngineConfig, Era, Error, ErrorKind, Prefix, RawJson, Result, ServerOffer, ServerSpec, ServerTools, Transport,
};

/// The live servers of the process and what they have in common.
#[derive(Debug)]
pub(crate) struct Fleet {
    transports: HashMap<String, Arc<dyn Transport>>,
    processes: Arc<Semaphore>,
    max_processes: usize,
    session_idle_timeout_ms: u64,
    /// Rises whenever some server's tools change, so that sessions know when to look.
    generation: watch::Sender<u64>,
    /// What the gateway declares to be able to do for servers.
    pub(super) client_capabilities: RawJson,
    /// Tools by the identity of the spec that they come from. A session's server shows the tools of
    /// its twin in another session without being started.
    known: Mutex<HashMap<Uuid, Known>>,
    /// Tools that were known before their servers told them.
    seeds: Seeds,
    /// Catalogues by what they are made of, so that sessions with equal servers share one.
    catalogues: Interned<Catalogue>,
    directories: Interned<Directory>,
    /// What servers offer besides tools, as `known`.
    offers: Mutex<HashMap<Uuid, Weak<ServerOffer>>>,
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
    pub(super) fn new(config: &EngineConfig, transports: Vec<Arc<dyn Transport>>, seeds: Seeds) -> Self {
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
            generation: watch::Sender::new(1),
            client_capabilities: config.client_capabilities.clone(),
            known: Mutex::default(),
            seeds,
            catalogues: Interned::default(),
            directories: Interned::default(),
            offers: Mutex::default(),
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
        let mut shared = lock(&self.shared);
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

    /// Gives `gone` back and starts `new`, each of them that has the name of a server that is gone after that one's end.
    /// Returns what waits for that.
    pub(super) fn exchange(&self, gone: &[Arc<Server>], new: Vec<Arc<Server>>) -> Option<JoinHandle<()>> {
        let replaces = |new: &Arc<Server>| gone.iter().any(|gone| gone.spec().name() == new.spec().name());
        let (replacing, fresh): (Vec<_>, Vec<_>) = new.into_iter().partition(replaces);
        for server in fresh {
            server.wake();
        }
        let ending = self.let_end(gone);
        if ending.is_empty() && replacing.is_empty() {
            return None;
        }
        Some(self.endings.spawn(async move {
            for ended in ending {
                // Only the runtime's own end can stop it.
                let _ = ended.await;
            }
            for server in replacing {
                server.wake();
            }
        }))
    }

    /// Waits until every server that was given back has ended.
    pub(super) async fn ended(&self) {
        self.endings.wait().await;
    }

    /// Whether nobody holds this shared server any more.
    fn let_go(&self, server: &Arc<Server>) -> bool {
        let uuid = server.spec().uuid();
        let mut shared = lock(&self.shared);
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
        *self.generation.borrow()
    }

    pub(super) fn catalogue_changed(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Changes its value whenever what some session shows may have changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// What a living twin offers besides tools.
    pub(super) fn known_offer(&self, spec: &ServerSpec) -> Option<Arc<ServerOffer>> {
        lock(&self.offers).get(&spec.uuid()).and_then(Weak::upgrade)
    }

    /// The offer to keep for a spec: the one known already where the content is the same.
    pub(super) fn share_offer(&self, spec: &ServerSpec, offer: ServerOffer) -> Arc<ServerOffer> {
        let mut offers = lock(&self.offers);
        let twin = offers.get(&spec.uuid()).and_then(Weak::upgrade);
        let twin = twin.filter(|twin| twin.content_hash() == offer.content_hash());
        offers.retain(|_, offer| offer.strong_count() > 0);
        let offer = twin.unwrap_or_else(|| Arc::new(offer));
        offers.insert(spec.uuid(), Arc::downgrade(&offer));
        offer
    }

    /// The tools and the era of a living twin.
    pub(super) fn known(&self, spec: &ServerSpec) -> Option<(Arc<ServerTools>, Era)> {
        self.known_map().get(&spec.uuid()).and_then(|known| Some((known.tools.upgrade()?, known.era)))
    }

    /// The tools that a server had before this process began, until it has told them itself.
    pub(super) fn seed(&self, spec: &ServerSpec) -> Option<Arc<ServerTools>> {
        self.seeds.of(spec)
    }

    /// The tools to keep for a spec: those known already where the content is the same.
    pub(super) fn share_tools(&self, spec: &ServerSpec, tools: ServerTools, era: Era) -> Arc<ServerTools> {
        self.seeds.forget(spec);
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

    /// The catalogue of these servers with these tools, made once for all sessions that see it; it replaces
    /// `before`.
    pub(super) fn catalogue<'a>(
        &self,
        specs: impl Iterator<Item = &'a Arc<ServerSpec>>,
        tools: &[Arc<ServerTools>],
        prefix: Prefix,
        before: Option<&Catalogue>,
    ) -> Arc<Catalogue> {
        let servers: Vec<_> = specs.cloned().zip(tools.iter().cloned()).collect();
        let hash = hash_of(servers.iter().map(|(spec, tools)| (spec.uuid(), tools.content_hash())));
        let make = || Catalogue::new(servers.clone(), prefix, before);
        self.catalogues.get_or_make(hash, |known| known.is_of(&servers), make)
    }

    /// The directory of these servers with these offers, made once for all sessions that see it.
    pub(super) fn directory<'a>(
        &self,
        specs: impl Iterator<Item = &'a Arc<ServerSpec>>,
        offers: &[Arc<ServerOffer>],
        prefix: Prefix,
    ) -> Arc<Directory> {
        let servers: Vec<_> = specs.cloned().zip(offers.iter().cloned()).collect();
        let hash = hash_of(servers.iter().map(|(spec, offer)| (spec.uuid(), offer.content_hash())));
        let make = || Directory::new(servers.clone(), prefix);
        self.directories.get_or_make(hash, |known| known.is_of(&servers), make)
    }

    fn known_map(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        lock(&self.known)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
