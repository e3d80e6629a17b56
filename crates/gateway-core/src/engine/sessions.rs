//! All sessions of the process, backed by a store that other replicas may share.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::fleet::Fleet;
use super::server::Server;
use super::session::{Record, Session, millis, now_ms, time};
use crate::{
    EngineConfig, Error, ErrorKind, NewSession, Principal, RawJson, Result, ServerSpec, SessionStatus, SessionStore,
    StoredSession,
};

/// A session in use looks into the store this often, for what other replicas did, and to renew its
/// end of life there.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// Longest metadata that a session may carry, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// The sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(super) default: Arc<Session>,
    live: DashMap<String, Arc<Session>>,
    store: Arc<dyn SessionStore>,
    pub(super) fleet: Arc<Fleet>,
    places: Arc<Semaphore>,
    config: EngineConfig,
    /// The servers file: what a new session starts with.
    template: Mutex<Vec<Arc<ServerSpec>>>,
}

impl Sessions {
    pub(super) fn new(
        config: EngineConfig,
        fleet: Arc<Fleet>,
        store: Arc<dyn SessionStore>,
        template: Vec<Arc<ServerSpec>>,
    ) -> Self {
        Self {
            default: Arc::new(Session::default_one(&fleet, &template)),
            live: DashMap::new(),
            store,
            fleet,
            places: Arc::new(Semaphore::new(config.max_sessions)),
            config,
            template: Mutex::new(template),
        }
    }

    /// Makes a session and keeps it in the store.
    pub(super) async fn create(&self, principal: &Principal, new: NewSession) -> Result<SessionStatus> {
        let ttl_ms = self.ttl_ms(new.ttl)?;
        let metadata = checked_metadata(new.metadata)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let max = self.config.max_sessions;
            Error::new(
                ErrorKind::RateLimited,
                format!("there are {max} sessions already; delete some or raise sessions.max"),
            )
            .with_retry_after_ms(10_000)
        })?;
        let record = Record {
            owner: principal.id.clone(),
            created_at_ms: now_ms(),
            last_accessed_ms: now_ms(),
            ttl_ms,
            metadata,
            servers: self.template().iter().map(|spec| (**spec).clone()).collect(),
        };
        let id = new_id();
        self.store
            .create(StoredSession {
                id: id.clone(),
                revision: 1,
                expires_at: time(record.last_accessed_ms.saturating_add(ttl_ms)),
                data: record.to_bytes()?,
            })
            .await?;
        let session = Arc::new(Session::from_record(&self.fleet, id.clone(), record, 1, Some(place)));
        let status = session.describe();
        self.live.insert(id, session);
        Ok(status)
    }

    /// The session that a request names, and marks its use.
    pub(super) async fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        let session = match self.live.get(id).map(|entry| Arc::clone(&entry)) {
            Some(session) => session,
            None => self.load(id).await?,
        };
        if session.has_ended() || session.is_expired() || session.owner() != principal.id {
            return Err(unknown(id));
        }
        self.sync(&session).await?;
        session.touch();
        Ok(session)
    }

    /// The caller's sessions, in order of their ids.
    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<SessionStatus>> {
        let mut list = Vec::new();
        for stored in self.store.list().await? {
            let live = self.live.get(&stored.id).map(|entry| Arc::clone(&entry));
            let session = match live {
                Some(session) => session,
                None => match self.load(&stored.id).await {
                    Ok(session) => session,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                },
            };
            if session.owner() == principal.id && !session.is_expired() && !session.has_ended() {
                list.push(session.describe());
            }
        }
        Ok(list)
    }

    /// Ends a session; its connections are gone when this returns.
    pub(super) async fn delete(&self, id: &str, principal: &Principal) -> Result<()> {
        let session = self.find(id, principal).await?;
        self.store.delete(id).await?;
        self.end(&session).await;
        Ok(())
    }

    /// Ends the sessions whose time is over.
    pub(super) async fn reap(&self) {
        let expired: Vec<_> =
            self.live.iter().filter(|entry| entry.is_expired()).map(|entry| Arc::clone(&entry)).collect();
        for session in expired {
            if let Err(error) = self.reap_one(&session).await {
                tracing::warn!(?error, "cannot look after an expired session");
            }
        }
    }

    /// Ends one session whose time is over here, unless another replica has renewed it.
    async fn reap_one(&self, session: &Arc<Session>) -> Result<()> {
        let id = session.id().unwrap_or_default();
        if let Some(stored) = self.store.load(id).await?
            && stored.revision == session.stored.revision.load(Ordering::Acquire)
        {
            self.store.delete(id).await?;
        }
        tracing::debug!(session = id, "session expired");
        self.end(session).await;
        Ok(())
    }

    /// Ends every connection of every session.
    pub(super) async fn end_all(&self) {
        let mut sessions: Vec<_> = self.live.iter().map(|entry| Arc::clone(&entry)).collect();
        sessions.push(Arc::clone(&self.default));
        let tasks = TaskTracker::new();
        for session in sessions {
            for server in session.servers().iter() {
                let (fleet, server) = (Arc::clone(&self.fleet), Arc::clone(server));
                tasks.spawn(async move { fleet.release(&server).await });
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// How many sessions this process has, without the default one.
    pub(super) fn count(&self) -> usize {
        self.live.len()
    }

    pub(super) fn template(&self) -> Vec<Arc<ServerSpec>> {
        self.template.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_template(&self, specs: Vec<Arc<ServerSpec>>) {
        *self.template.lock().unwrap_or_else(PoisonError::into_inner) = specs;
    }

    /// Writes a session's changed list of servers to the store. Call with its `change` lock held.
    pub(super) async fn persist(&self, session: &Session) -> Result<()> {
        if session.id().is_none() {
            return Ok(());
        }
        let revision = self.store.save(session.to_stored()?).await?;
        session.stored.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Takes over what another replica did to a session, and renews its end of life in the store.
    async fn sync(&self, session: &Arc<Session>) -> Result<()> {
        let Some(_turn) = session.stored.begin(SYNC_EVERY) else { return Ok(()) };
        let Ok(_change) = session.change.try_lock() else { return Ok(()) };
        let id = session.id().unwrap_or_default();
        let stored = match self.store.load(id).await {
            Ok(stored) => stored,
            Err(error) => {
                // A store that is away for a moment must not stop calls that need nothing from it.
                tracing::warn!(?error, "cannot look a session up; going on with what is known");
                return Ok(());
            }
        };
        let Some(stored) = stored else {
            self.end(session).await;
            return Err(unknown(id));
        };
        if stored.revision != session.stored.revision.load(Ordering::Acquire) {
            self.adopt(session, &stored).await?;
        }
        session.touch();
        match self.persist(session).await {
            // Somebody else was quicker; the next synchronization sees it.
            Err(error) if error.kind() != ErrorKind::Conflict => {
                tracing::warn!(?error, "cannot renew a session");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Makes a session's servers those of its record.
    async fn adopt(&self, session: &Session, stored: &StoredSession) -> Result<()> {
        let record = Record::from_bytes(&stored.data)?;
        let old = session.servers();
        let mut servers = Vec::with_capacity(record.servers.len());
        for spec in record.servers {
            let known = old.iter().find(|server| server.spec().uuid() == spec.uuid());
            servers.push(match known {
                Some(server) => Arc::clone(server),
                None => self.fleet.acquire(&Arc::new(spec), session.presence()),
            });
        }
        let kept: HashSet<u64> = servers.iter().map(|server| server.id()).collect();
        session.set_servers(servers);
        session.stored.revision.store(stored.revision, Ordering::Release);
        let gone: Vec<Arc<Server>> = old.iter().filter(|server| !kept.contains(&server.id())).cloned().collect();
        self.release_all(&gone).await;
        Ok(())
    }

    /// Gives servers back, side by side.
    pub(super) async fn release_all(&self, servers: &[Arc<Server>]) {
        let tasks = TaskTracker::new();
        for server in servers {
            let (fleet, server) = (Arc::clone(&self.fleet), Arc::clone(server));
            tasks.spawn(async move { fleet.release(&server).await });
        }
        tasks.close();
        tasks.wait().await;
    }

    /// A session that this process has not seen yet, from the store.
    async fn load(&self, id: &str) -> Result<Arc<Session>> {
        if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(unknown(id));
        }
        let stored = self.store.load(id).await?.ok_or_else(|| unknown(id))?;
        let record = Record::from_bytes(&stored.data)?;
        match self.live.entry(id.to_owned()) {
            Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            Entry::Vacant(vacant) => {
                let place = Arc::clone(&self.places).try_acquire_owned().ok();
                let session = Session::from_record(&self.fleet, id.to_owned(), record, stored.revision, place);
                Ok(Arc::clone(&vacant.insert(Arc::new(session))))
            }
        }
    }

    async fn end(&self, session: &Arc<Session>) {
        if !session.end() {
            return;
        }
        self.live.remove(session.id().unwrap_or_default());
        self.release_all(&session.servers()).await;
    }

    fn ttl_ms(&self, wanted: Option<Duration>) -> Result<u64> {
        let Some(wanted) = wanted else { return Ok(self.config.session_ttl_ms) };
        let (wanted, max) = (millis(wanted), self.config.max_session_ttl_ms);
        if wanted == 0 || wanted > max {
            let max = max / 1000;
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("`ttl_seconds` must be between 1 and {max} (sessions.max_ttl_seconds)"),
            ));
        }
        Ok(wanted)
    }
}

fn checked_metadata(metadata: Option<RawJson>) -> Result<RawJson> {
    let metadata = metadata.unwrap_or_else(RawJson::empty_object);
    if !metadata.is_object() {
        return Err(Error::new(ErrorKind::InvalidRequest, "`metadata` must be a JSON object"));
    }
    if metadata.as_bytes().len() > MAX_METADATA {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("`metadata` must not be longer than {MAX_METADATA} bytes"),
        ));
    }
    Ok(metadata.detached())
}

/// `sess_` and 160 random bits: nobody guesses one.
fn new_id() -> String {
    let random: [u8; 20] = rand::random();
    let mut id = String::with_capacity(45);
    id.push_str("sess_");
    for byte in random {
        for digit in [byte >> 4, byte & 15] {
            id.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    id
}

fn unknown(id: &str) -> Error {
    let id = super::catalogue::excerpt(id);
    Error::new(ErrorKind::NotFound, format!("there is no session `{id}`, or its time is over"))
}
