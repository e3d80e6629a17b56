//! All sessions of the process, backed by a store that other replicas may share.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Semaphore;

use super::fleet::Fleet;
use super::server::Server;
use super::session::{Record, Session, millis, now_ms};
use crate::{
    EngineConfig, Error, ErrorKind, NewSession, Principal, RawJson, Result, ServerSpec, SessionStatus, SessionStore,
    StoredSession,
};

/// Attempts to bring a change and the store together while other replicas change the same session.
const COMMIT_ATTEMPTS: u32 = 5;

/// What the ids of sessions begin with.
const SESSION: &str = "sess_";

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
            places: Arc::new(Semaphore::new(config.max_sessions.min(Semaphore::MAX_PERMITS))),
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
        self.store.create(record.to_stored(id.clone(), 1)?).await?;
        let session = Arc::new(Session::from_record(&self.fleet, id.clone(), record, 1, Some(place)));
        let status = session.describe();
        self.live.insert(id, session);
        Ok(status)
    }

    /// The session that a request names, and marks its use.
    pub(super) async fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        let session = match self.live.get(id).map(|entry| Arc::clone(&entry)) {
            Some(session) => session,
            None => self.load(id, principal).await?,
        };
        if session.has_ended() || session.is_expired() || session.owner() != principal.id {
            return Err(unknown(id));
        }
        self.sync(&session).await?;
        session.touch();
        Ok(session)
    }

    /// The caller's sessions, in order of their ids. Takes over none that only the store knows.
    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<SessionStatus>> {
        let mut list = Vec::new();
        for stored in self.store.list(SESSION).await? {
            if let Some(session) = self.live.get(&stored.id).map(|entry| Arc::clone(&entry)) {
                if session.owner() == principal.id && !session.is_expired() && !session.has_ended() {
                    list.push(session.describe());
                }
                continue;
            }
            match Record::from_bytes(&stored.data) {
                Ok(record) if record.owner == principal.id && !record.is_expired() => {
                    list.push(record.describe(&self.fleet, stored.id));
                }
                Ok(_) => {}
                // One that a newer replica wrote must not hide the others.
                Err(error) => tracing::warn!(?error, "a session in the store is left out of a list"),
            }
        }
        Ok(list)
    }

    /// Ends a session; its connections are gone when this returns, also those of servers that are
    /// being added to it.
    pub(super) async fn delete(&self, id: &str, principal: &Principal) -> Result<()> {
        let session = self.find(id, principal).await?;
        self.store.delete(id).await?;
        self.end(&session).await;
        // A change that was under way gives back what it has acquired, and then the lock.
        drop(session.change.lock().await);
        Ok(())
    }

    /// Ends the sessions whose time is over, and keeps those in the store alive that have calls under way.
    pub(super) async fn reap(&self) {
        let live: Vec<_> = self.live.iter().map(|entry| Arc::clone(&entry)).collect();
        let mut gone = Vec::new();
        for session in live {
            if session.has_calls() {
                // A session that has ended meanwhile is no news here.
                let _ = self.sync(&session).await;
            } else if session.is_expired() {
                // The store forgets its record by itself. Where another replica has renewed it there, the
                // next request loads it again.
                tracing::debug!(session = session.id(), "session expired");
                gone.extend(self.take_out(&session).iter().flat_map(|servers| servers.iter().cloned()));
            }
        }
        self.fleet.release(&gone).await;
    }

    /// Ends every connection of every session.
    pub(super) async fn end_all(&self) {
        let live: Vec<_> = self.live.iter().map(|entry| Arc::clone(&entry)).collect();
        let ended = live.iter().chain([&self.default]).filter_map(|session| session.end());
        let servers: Vec<_> = ended.flat_map(|servers| servers.to_vec()).collect();
        self.fleet.release(&servers).await;
    }

    /// How many sessions this process has, without the default one.
    pub(super) fn count(&self) -> usize {
        self.live.len()
    }

    /// The default session, and those that have been used within this time.
    pub(super) fn used_within(&self, time: Duration) -> Vec<Arc<Session>> {
        let used = self.live.iter().filter(|entry| entry.is_used_within(time)).map(|entry| Arc::clone(&entry));
        std::iter::once(Arc::clone(&self.default)).chain(used).collect()
    }

    /// Whether this process has a session.
    pub(super) fn has(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    pub(super) fn template(&self) -> Vec<Arc<ServerSpec>> {
        self.template.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_template(&self, specs: Vec<Arc<ServerSpec>>) {
        *self.template.lock().unwrap_or_else(PoisonError::into_inner) = specs;
    }

    /// Changes a session's list of servers, here and in the store, by the same edit of the list that
    /// is there. Another replica may have changed it meanwhile: then the edit is made again. Call with
    /// the session's `change` lock held. On an error the list is what it was, and what `edit` added is
    /// still the caller's.
    ///
    /// # Errors
    /// Those of the store and of `edit`; `NotFound` where the session has ended.
    pub(super) async fn commit(
        &self,
        session: &Session,
        edit: impl Fn(&[Arc<Server>]) -> Result<Vec<Arc<Server>>>,
    ) -> Result<()> {
        let id = session.id().unwrap_or_default();
        let mut attempt = 1;
        loop {
            let servers = edit(&session.servers())?;
            match self.persist(session, &servers).await {
                Ok(()) => {
                    session.set_servers(servers).map_err(|_| unknown(id))?;
                    self.fleet.catalogue_changed();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < COMMIT_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
            attempt += 1;
            self.refresh(session).await?;
        }
    }

    /// Takes over what other replicas did to a session, before it is changed here. Call with its `change`
    /// lock held.
    ///
    /// # Errors
    /// Those of the store; `NotFound` where the session has ended.
    pub(super) async fn refresh(&self, session: &Session) -> Result<()> {
        let Some(id) = session.id() else { return Ok(()) };
        let stored = self.store.load(id).await?.ok_or_else(|| unknown(id))?;
        if stored.revision == session.stored.revision.load(Ordering::Acquire) {
            return Ok(());
        }
        self.adopt(session, &stored)
    }

    /// Writes a session with this list of servers to the store.
    async fn persist(&self, session: &Session, servers: &[Arc<Server>]) -> Result<()> {
        if session.id().is_none() {
            return Ok(());
        }
        let revision = self.store.save(session.to_stored(servers)?).await?;
        session.stored.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Takes over what another replica did to a session, and renews its end of life in the store.
    async fn sync(&self, session: &Arc<Session>) -> Result<()> {
        let Some(_turn) = session.stored.begin(session.sync_interval()) else { return Ok(()) };
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
            self.adopt(session, &stored)?;
        }
        session.touch();
        match self.persist(session, &session.servers()).await {
            // Somebody else was quicker; the next synchronization sees it.
            Err(error) if error.kind() != ErrorKind::Conflict => {
                tracing::warn!(?error, "cannot renew a session");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Makes a session's servers those of its record. Those that are not in it end by themselves.
    fn adopt(&self, session: &Session, stored: &StoredSession) -> Result<()> {
        let record = Record::from_bytes(&stored.data)?;
        let old = session.servers();
        let (mut servers, mut new) = (Vec::with_capacity(record.servers.len()), Vec::new());
        for spec in record.servers {
            let known = old.iter().find(|server| server.spec().uuid() == spec.uuid());
            servers.push(known.map_or_else(
                || {
                    let server = self.fleet.acquire(&Arc::new(spec), session.presence());
                    new.push(Arc::clone(&server));
                    server
                },
                Arc::clone,
            ));
        }
        let kept: HashSet<u64> = servers.iter().map(|server| server.id()).collect();
        if session.set_servers(servers).is_err() {
            self.fleet.let_end(&new);
            return Err(unknown(session.id().unwrap_or_default()));
        }
        self.fleet.catalogue_changed();
        session.stored.revision.store(stored.revision, Ordering::Release);
        let gone: Vec<_> = old.iter().filter(|server| !kept.contains(&server.id())).cloned().collect();
        self.fleet.let_end(&gone);
        Ok(())
    }

    /// A session that this process has not seen yet, from the store.
    async fn load(&self, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(unknown(id));
        }
        let stored = self.store.load(id).await?.ok_or_else(|| unknown(id))?;
        let record = Record::from_bytes(&stored.data)?;
        if record.owner != principal.id || record.is_expired() {
            return Err(unknown(id));
        }
        match self.live.entry(id.to_owned()) {
            Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            Entry::Vacant(vacant) => {
                // One that another replica made is served here also where there is no place for a new one.
                let place = Arc::clone(&self.places).try_acquire_owned().ok();
                let session = Session::from_record(&self.fleet, id.to_owned(), record, stored.revision, place);
                Ok(Arc::clone(&vacant.insert(Arc::new(session))))
            }
        }
    }

    async fn end(&self, session: &Arc<Session>) {
        if let Some(servers) = self.take_out(session) {
            self.fleet.release(&servers).await;
        }
    }

    /// Ends a session and returns the servers that it held; `None` where it has ended before.
    fn take_out(&self, session: &Arc<Session>) -> Option<Arc<Vec<Arc<Server>>>> {
        let servers = session.end()?;
        self.live.remove_if(session.id().unwrap_or_default(), |_, live| Arc::ptr_eq(live, session));
        Some(servers)
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
    id.push_str(SESSION);
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
