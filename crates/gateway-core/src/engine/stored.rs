//! Bringing sessions and the store together: a change goes out by compare-and-swap, and what others changed comes in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time;

use super::gateway::Engine;
use super::global::{GLOBAL, GlobalChanges};
use super::record::{Record, Resolved, millis, now_ms};
use super::server::{Presence, Server};
use super::session::Session;
use super::sessions::{Sessions, unknown};
use crate::{Error, ErrorKind, Principal, Result, ServerSpec, StoredSession};

/// Attempts to bring a change and the store together while other replicas change the same record. Of those that change
/// it at once one succeeds each time.
const ATTEMPTS: u32 = 16;

/// A request in a session waits at most so long for the store to be looked into, which goes on by itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// A store that did not answer is let alone for so long.
const AWAY: Duration = Duration::from_secs(5);

impl Engine {
    /// The session that a request names, and marks its use.
    pub(super) async fn session_in_use(self: &Arc<Self>, id: &str, principal: &Principal) -> Result<Arc<Session>> {
        let session = self.sessions.find(id, principal).await?;
        if let Some(syncing) = self.begin_sync(&session) {
            match time::timeout(PATIENCE, syncing).await {
                Ok(synced) => synced.unwrap_or(Ok(()))?,
                // One that hangs must not stop calls that need nothing from it.
                Err(_) => self.sessions.note_away(),
            }
        }
        session.touch();
        Ok(session)
    }

    /// Keeps those sessions in the store alive that have calls under way.
    pub(super) fn keep_alive(self: &Arc<Self>) {
        let live: Vec<_> = self.sessions.live.iter().map(|entry| Arc::clone(&entry)).collect();
        for session in live.iter().filter(|session| session.has_calls()) {
            // It goes on by itself.
            drop(self.begin_sync(session));
        }
    }

    /// Brings a session and its record together, where that is due. It ends with the gateway.
    fn begin_sync(self: &Arc<Self>, session: &Arc<Session>) -> Option<JoinHandle<Result<()>>> {
        if !self.sessions.is_due(session) {
            return None;
        }
        let (engine, session) = (Arc::clone(self), Arc::clone(session));
        Some(self.tasks.spawn(async move {
            tokio::select! {
                () = engine.sessions.fleet.stop.cancelled() => Ok(()),
                synced = engine.sessions.sync(&session) => synced,
            }
        }))
    }
}

impl Sessions {
    /// Whether a session should look into the store, as far as that can be looked into.
    fn is_due(&self, session: &Session) -> bool {
        session.stored.is_due(session.sync_interval(self.store_tells))
            && now_ms() >= self.away_until_ms.load(Ordering::Relaxed)
    }

    /// The store does not answer.
    fn note_away(&self) {
        self.away_until_ms.store(now_ms().saturating_add(millis(AWAY)), Ordering::Relaxed);
    }

    /// Changes a session's list of servers, here and in the store, by the same edit of the list that
    /// is there. Another replica may have changed it meanwhile: then the edit is made again. On an error the list is
    /// what it was, and what `edit` added is still the caller's.
    ///
    /// # Errors
    /// Those of the store and of `edit`; `NotFound` where the session has ended.
    pub(super) async fn commit(
        &self,
        session: &Session,
        mut edit: impl FnMut(&[Arc<Server>]) -> Result<Vec<Arc<Server>>>,
    ) -> Result<()> {
        let _turn = session.stored.turn.lock().await;
        let mut attempt = 1;
        loop {
            let servers = edit(&session.servers())?;
            match self.persist(session, &servers).await {
                Ok(()) => {
                    session.set_servers(servers).map_err(|_| unknown(session.id().unwrap_or_default()))?;
                    self.fleet.catalogue_changed();
                    return Ok(());
                }
                Err(error) if is_stale(session, &error) && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
            attempt += 1;
            self.take_over(session).await?;
        }
    }

    /// Takes over what other replicas did to a session, before it is changed here.
    ///
    /// # Errors
    /// Those of the store; `NotFound` where the session has ended.
    pub(super) async fn refresh(&self, session: &Session) -> Result<()> {
        let _turn = session.stored.turn.lock().await;
        self.take_over(session).await
    }

    /// Looks at a record that may have changed, where its session lives here; a session whose record is gone ends.
    ///
    /// # Errors
    /// Those of the store; `Internal` for a record that cannot be read.
    pub(super) async fn look(&self, id: &str) -> Result<()> {
        if id == GLOBAL {
            return self.refresh(&self.default).await;
        }
        let Some(session) = self.live.get(id).map(|entry| Arc::clone(&entry)) else { return Ok(()) };
        match self.refresh(&session).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.let_end(&session);
                Ok(())
            }
            looked => looked,
        }
    }

    /// Takes over what another replica did to a session, and renews its end of life in the store.
    pub(super) async fn sync(&self, session: &Arc<Session>) -> Result<()> {
        let Some(_due) = session.stored.begin(session.sync_interval(self.store_tells)) else { return Ok(()) };
        let Ok(_place) = self.syncs.acquire().await else { return Ok(()) };
        let Ok(_turn) = session.stored.turn.try_lock() else { return Ok(()) };
        match self.take_over(session).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.end(session).await;
                return Err(error);
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                // A store that is away for a moment must not stop calls that need nothing from it.
                self.note_away();
                tracing::warn!(?error, "cannot look a session up; going on with what is known");
                return Ok(());
            }
            Err(error) => return Err(error),
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

    /// Puts another servers file in force. Where its edit overrules what callers changed, the store hears of it; where
    /// that is away, the file counts nevertheless. Returns the end of the servers that left and the start of those
    /// that replace them.
    ///
    /// # Errors
    /// `NotFound` where the gateway stops.
    pub(super) async fn follow(&self, file: Vec<Arc<ServerSpec>>) -> Result<Option<JoinHandle<()>>> {
        let session = &*self.default;
        let _turn = session.stored.turn.lock().await;
        let before = self.set_template(file.clone());
        let mut attempt = 1;
        let told = loop {
            let edited = self.global().after_edit(&before, &file);
            if edited == *self.global() {
                break Ok(());
            }
            match self.persist_global(session, edited).await {
                Err(error) if is_stale(session, &error) && attempt < ATTEMPTS => {}
                told => break told,
            }
            attempt += 1;
            if let Err(error) = self.take_over(session).await {
                break Err(error);
            }
        };
        if let Err(error) = told {
            tracing::warn!(
                ?error,
                "the session store has not heard which changes of callers the servers file overrules"
            );
        }
        let list = self.global().apply(&file);
        self.put_in_force(session, list)
    }

    /// Makes a session what its record says, where that is another one than the last. Call with its turn.
    async fn take_over(&self, session: &Session) -> Result<()> {
        let known = session.stored.revision.load(Ordering::Acquire);
        match (self.store.load(session.id().unwrap_or(GLOBAL)).await?, session.id()) {
            (Some(stored), _) if stored.revision == known => Ok(()),
            (Some(stored), Some(_)) => self.adopt(session, &stored),
            (Some(stored), None) => self.adopt_global(session, &stored),
            (None, Some(id)) => Err(unknown(id)),
            (None, None) if known > 0 => self.put_back(session).await,
            (None, None) => Ok(()),
        }
    }

    /// Makes a session's servers those of its record. Those that are not in it end by themselves.
    fn adopt(&self, session: &Session, stored: &StoredSession) -> Result<()> {
        let record = Record::from_bytes(&stored.data)?;
        session.hear_of_use(record.last_accessed_ms);
        let resolved = Resolved::new(record.servers, &self.template());
        if session.set_unknown(resolved.unknown.clone()) {
            resolved.warn(session.id().unwrap_or_default());
        }
        self.put_in_force(session, resolved.specs)?;
        session.stored.revision.store(stored.revision, Ordering::Release);
        Ok(())
    }

    /// The same for the default session.
    fn adopt_global(&self, session: &Session, stored: &StoredSession) -> Result<()> {
        let changes = GlobalChanges::from_bytes(&stored.data)?;
        let list = changes.apply(&self.template());
        *self.global() = changes;
        self.put_in_force(session, list)?;
        session.stored.revision.store(stored.revision, Ordering::Release);
        Ok(())
    }

    /// No gateway deletes the record of the default session: the store has lost it. What is known here is as good.
    async fn put_back(&self, session: &Session) -> Result<()> {
        tracing::warn!("the session store has lost which servers callers added; it gets them again");
        session.stored.revision.store(0, Ordering::Release);
        let changes = self.global().clone();
        match self.persist_global(session, changes).await {
            // Another replica was quicker; whoever comes next takes over what it knows.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            kept => kept,
        }
    }

    /// Writes a session with this list of servers to the store.
    async fn persist(&self, session: &Session, servers: &[Arc<Server>]) -> Result<()> {
        if session.id().is_none() {
            let list = servers.iter().map(|server| server.spec());
            let changes = self.global().leading_to(list, &self.template());
            return self.persist_global(session, changes).await;
        }
        let stored = session.to_stored(servers, self.store.keeps_secrets())?;
        let revision = self.store.save(stored).await?;
        session.stored.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Writes the default session's changes to the store.
    async fn persist_global(&self, session: &Session, changes: GlobalChanges) -> Result<()> {
        let known = session.stored.revision.load(Ordering::Acquire);
        let stored = changes.to_stored(known, self.store.keeps_secrets())?;
        let revision = if known > 0 {
            self.store.save(stored).await?
        } else {
            self.store.create(stored).await?;
            1
        };
        *self.global() = changes;
        session.stored.revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Makes these a session's servers. Those that it has stay as they are; others leave and end by themselves. Where
    /// the session keeps its servers connected, new ones start, each after the end of the one that it replaces: both
    /// may want the same files and ports. Returns what waits for that.
    fn put_in_force(&self, session: &Session, specs: Vec<Arc<ServerSpec>>) -> Result<Option<JoinHandle<()>>> {
        let old = session.servers();
        let known: HashMap<_, _> = old.iter().rev().map(|server| (server.spec().uuid(), server)).collect();
        let (mut servers, mut new) = (Vec::with_capacity(specs.len()), Vec::new());
        for spec in specs {
            servers.push(known.get(&spec.uuid()).map_or_else(
                || {
                    let server = self.fleet.acquire(&spec, session.presence());
                    new.push(Arc::clone(&server));
                    server
                },
                |known| Arc::clone(known),
            ));
        }
        let kept: HashSet<u64> = servers.iter().map(|server| server.id()).collect();
        let gone: Vec<_> = old.iter().filter(|server| !kept.contains(&server.id())).cloned().collect();
        if servers.iter().map(|server| server.id()).eq(old.iter().map(|server| server.id())) {
            return Ok(None);
        }
        if session.set_servers(servers).is_err() {
            self.fleet.let_end(&new);
            return Err(unknown(session.id().unwrap_or_default()));
        }
        self.fleet.catalogue_changed();
        tracing::info!(
            session = session.id(),
            added = new.len(),
            removed = gone.len(),
            "the list of servers has changed"
        );
        if session.presence() == Presence::OnDemand {
            new.clear();
        }
        Ok(self.fleet.exchange(&gone, new))
    }
}

/// Whether another attempt with what the store has now may succeed.
fn is_stale(session: &Session, error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Conflict => true,
        // A record that was lost is made anew.
        ErrorKind::NotFound => session.id().is_none(),
        _ => false,
    }
}
