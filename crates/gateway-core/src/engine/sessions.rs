//! All sessions of the process, backed by a store that other replicas may share.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Semaphore;

use super::fleet::Fleet;
use super::global::{GLOBAL, GlobalChanges};
use super::record::{Record, Resolved, StoredServer, millis, now_ms};
use super::server::Server;
use super::session::Session;
use crate::{
    EngineConfig, Error, ErrorKind, NewSession, Principal, RawJson, Result, ServerSpec, SessionStatus, SessionStore,
};

/// What the ids of sessions begin with.
pub(super) const SESSION: &str = "sess_";

/// Longest metadata that a session may carry, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// Sessions that look into the store at once; a thousand due ones must not stand in the way of who asks for something.
const SYNCS_AT_ONCE: usize = 64;

/// The sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub(super) default: Arc<Session>,
    pub(super) live: DashMap<String, Arc<Session>>,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) fleet: Arc<Fleet>,
    /// Whether the store tells of changes.
    pub(super) store_tells: bool,
    /// Until then nobody looks into the store unasked: it did not answer.
    pub(super) away_until_ms: AtomicU64,
    /// Looks into the store at once.
    pub(super) syncs: Semaphore,
    places: Arc<Semaphore>,
    config: EngineConfig,
    /// The servers file: what a new session starts with.
    template: Mutex<Vec<Arc<ServerSpec>>>,
    /// What callers made of it in the default session, as the store had it last.
    global: Mutex<GlobalChanges>,
}

impl Sessions {
    /// The sessions of a gateway that starts: the default one with what `file` says and what callers have made of it.
    ///
    /// # Errors
    /// Where the store cannot be reached, or what it says cannot be read. Nothing has been written then.
    pub(super) async fn open(
        config: EngineConfig,
        fleet: Arc<Fleet>,
        store: Arc<dyn SessionStore>,
        file: Vec<Arc<ServerSpec>>,
    ) -> Result<Self> {
        let (global, revision) = read_global(&*store).await?;
        for name in global.standing_aside(&file) {
            tracing::warn!(
                server = name,
                "the servers file has this name: the server that a caller added stands aside"
            );
        }
        Ok(Self {
            default: Arc::new(Session::default_one(&fleet, &global.apply(&file), revision)),
            live: DashMap::new(),
            store_tells: store.changes().is_some(),
            away_until_ms: AtomicU64::new(0),
            syncs: Semaphore::new(SYNCS_AT_ONCE),
            store,
            fleet,
            places: Arc::new(Semaphore::new(config.max_sessions.min(Semaphore::MAX_PERMITS))),
            config,
            template: Mutex::new(file),
            global: Mutex::new(global),
        })
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
        let template = self.template();
        let record = Record {
            owner: principal.id.clone(),
            created_at_ms: now_ms(),
            last_accessed_ms: now_ms(),
            ttl_ms,
            metadata,
            servers: template.iter().map(|spec| StoredServer::new(spec, self.store.keeps_secrets())).collect(),
        };
        let id = new_id();
        self.store.create(record.to_stored(id.clone(), 1)?).await?;
        let session = Session::from_record((&self.fleet, &template), id.clone(), record, 1, Some(place));
        let session = Arc::new(session);
        let status = session.describe();
        self.live.insert(id, session);
        Ok(status)
    }

    /// The session that a request names.
    pub(super) async fn find(&self, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        let live = self.live.get(id).map(|entry| Arc::clone(&entry));
        let session = match live {
            // Another replica may have used it meanwhile; the store knows.
            Some(session) if session.is_expired() => {
                self.let_end(&session);
                self.load(id, principal).await?
            }
            Some(session) => session,
            None => self.load(id, principal).await?,
        };
        if session.has_ended() || session.is_expired() || session.owner() != principal.id {
            return Err(unknown(id));
        }
        Ok(session)
    }

    /// The caller's sessions, in order of their ids. Takes over none that only the store knows.
    pub(super) async fn list(&self, principal: &Principal) -> Result<Vec<SessionStatus>> {
        let (mut list, file) = (Vec::new(), self.template());
        for stored in self.store.list(SESSION).await? {
            let record = Record::from_bytes(&stored.data);
            if let Some(session) = self.live.get(&stored.id).map(|entry| Arc::clone(&entry)) {
                if let Ok(record) = record {
                    session.hear_of_use(record.last_accessed_ms);
                }
                if session.owner() == principal.id && !session.is_expired() && !session.has_ended() {
                    list.push(session.describe());
                }
                continue;
            }
            match record {
                Ok(record) if record.owner == principal.id && !record.is_expired() => {
                    list.push(record.describe(&self.fleet, stored.id, &file));
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
        self.sync(&session).await?;
        self.store.delete(id).await?;
        self.end(&session).await;
        // A change that was under way gives back what it has acquired, and then the lock.
        drop(session.change.lock().await);
        Ok(())
    }

    /// Ends the sessions whose time is over.
    pub(super) async fn reap(&self) {
        let live: Vec<_> = self.live.iter().map(|entry| Arc::clone(&entry)).collect();
        let mut gone = Vec::new();
        for session in live {
            if session.is_expired() {
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

    /// Why the store cannot keep this server, where that is so. One of the servers file is found there again.
    pub(super) fn cannot_keep(&self, spec: &ServerSpec) -> Option<&'static str> {
        let is_kept = self.store.keeps_secrets()
            || !spec.has_secrets()
            || self.template().iter().any(|known| known.uuid() == spec.uuid());
        (!is_kept).then_some(
            "it has values in `env` or `headers`, and the session store would keep them where others can read them: set \
             storage.encryption_key, or put the server into the servers file",
        )
    }

    /// Puts another servers file in force, and returns the one before.
    pub(super) fn set_template(&self, specs: Vec<Arc<ServerSpec>>) -> Vec<Arc<ServerSpec>> {
        std::mem::replace(&mut *self.template.lock().unwrap_or_else(PoisonError::into_inner), specs)
    }

    pub(super) fn global(&self) -> MutexGuard<'_, GlobalChanges> {
        self.global.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session that this process has not seen yet, from the store.
    async fn load(&self, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        // The store keeps other things, too.
        if !id.starts_with(SESSION) || !is_record_id(id) {
            return Err(unknown(id));
        }
        let stored = self.store.load(id).await?.ok_or_else(|| unknown(id))?;
        let mut record = Record::from_bytes(&stored.data)?;
        if record.owner != principal.id || record.is_expired() {
            return Err(unknown(id));
        }
        let resolved = Resolved::new(std::mem::take(&mut record.servers), &self.template());
        resolved.warn(id);
        match self.live.entry(id.to_owned()) {
            Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            Entry::Vacant(vacant) => {
                // One that another replica made is served here also where there is no place for a new one.
                let place = Arc::clone(&self.places).try_acquire_owned().ok();
                let parts = (&self.fleet, resolved.specs.as_slice());
                let session = Session::from_record(parts, id.to_owned(), record, stored.revision, place);
                session.set_unknown(resolved.unknown);
                Ok(Arc::clone(&vacant.insert(Arc::new(session))))
            }
        }
    }

    pub(super) async fn end(&self, session: &Arc<Session>) {
        if let Some(servers) = self.take_out(session) {
            self.fleet.release(&servers).await;
        }
    }

    /// Ends a session whose connections nobody waits for.
    pub(super) fn let_end(&self, session: &Arc<Session>) {
        if let Some(servers) = self.take_out(session) {
            self.fleet.let_end(&servers);
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

/// The default session's changes, and their revision; 0 where there is no record yet.
async fn read_global(store: &dyn SessionStore) -> Result<(GlobalChanges, u64)> {
    let in_context = |error: Error| {
        let message = format!("cannot learn from the session store which servers callers added: {}", error.message());
        Error::new(error.kind(), message).with_source(error)
    };
    match store.load(GLOBAL).await.map_err(in_context)? {
        Some(stored) => Ok((GlobalChanges::from_bytes(&stored.data).map_err(in_context)?, stored.revision)),
        None => Ok((GlobalChanges::default(), 0)),
    }
}

/// Whether a store may be asked for it.
pub(super) fn is_record_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
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

pub(super) fn unknown(id: &str) -> Error {
    let id = super::catalogue::excerpt(id);
    Error::new(ErrorKind::NotFound, format!("there is no session `{id}`, or its time is over"))
}
