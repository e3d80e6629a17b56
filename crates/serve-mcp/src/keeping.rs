//! Sessions and their records: a session goes on at whatever replica its client's next request reaches.
//!
//! The record says all that a session needs to be made again. Whoever uses a session writes its record, at most every few
//! seconds, which raises its revision. Only the replica that wrote last ends a session for all when its time is over, and
//! only if the record is still the one that it wrote; one whose client has moved away drops its own copy in silence. A
//! record that is gone ends every copy.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use gateway_core::{ClientProfile, Context, Error, ErrorKind, ListMarks, RecordChange, Result, StoredSession, Target};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::client::Sender;
use crate::core::Core;
use crate::record::{SessionRecord, Wishes};
use crate::session::{Opening, Session};

/// How often what is over or due is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// `initialize` waits at most so long for the record of its session, and the end of the door for all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Attempts to write a record that other replicas write as well.
const ATTEMPTS: u32 = 4;

/// What has become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is there, and this process knows what it says.
    Known,
    /// The session has been ended elsewhere, or its time is over.
    Gone,
}

impl Core {
    /// Looks after sessions until `stop` is cancelled; then leaves them to others.
    pub(crate) async fn keep_sessions(&self, stop: &CancellationToken) {
        let mut changes = self.records.changes();
        let mut tidy = time::interval(TIDY_EVERY);
        tidy.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut work = FuturesUnordered::<BoxFuture<'_, ()>>::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                heard = hear(&mut changes) => match heard {
                    Ok(RecordChange::One(id)) => self.note_change(self.sessions.find(&id)),
                    Ok(RecordChange::Any) | Err(RecvError::Lagged(_)) => self.note_change(self.sessions.all()),
                    Err(RecvError::Closed) => changes = None,
                },
                _ = tidy.tick() => {
                    self.parking.tidy();
                    for session in self.sessions.tidy() {
                        work.push(self.let_go(session).boxed());
                    }
                    let store_tells = changes.is_some();
                    for session in self.sessions.due(store_tells) {
                        work.push(self.attend(session, store_tells).boxed());
                    }
                }
                Some(()) = work.next(), if !work.is_empty() => {}
            }
        }
        drop(work);
        self.parking.clear();
        self.leave_to_others(self.sessions.clear()).await;
    }

    /// Notes that the records of these may say something else by now; looked at with the next round, so that a burst
    /// costs one look.
    fn note_change(&self, sessions: impl IntoIterator<Item = Arc<Session>>) {
        for session in sessions {
            session.kept.is_changed.store(true, Relaxed);
        }
    }

    /// Keeps the record of a new session. A store that is away ends nothing: the session stays with this process until the
    /// store is back.
    pub(crate) async fn keep(&self, session: &Session) {
        let _turn = session.kept.turn.lock().await;
        match time::timeout(PATIENCE, self.write(session)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(?error, "an MCP session stays with this process for now: its record was not kept")
            }
            Err(_) => {
                tracing::warn!("an MCP session stays with this process for now: the session store does not answer")
            }
        }
    }

    /// A session that this process does not know: its sender may have opened it at another one, or before a restart.
    ///
    /// # Errors
    /// Those of the store and of the admission. `None` where there is no such session of this sender's.
    pub(crate) async fn take_up(&self, id: &str, sender: &Sender, outside: &Context) -> Result<Option<Arc<Session>>> {
        let Some(stored) = self.records.load(id).await? else { return Ok(None) };
        if stored.expires_at <= SystemTime::now() {
            return Ok(None);
        }
        let Some(record) = SessionRecord::from_bytes(&stored.data) else {
            tracing::warn!("the record of an MCP session cannot be read; was it written by a newer gateway?");
            return Ok(None);
        };
        let Some((revision, expose)) = record.manner() else { return Ok(None) };
        if record.ended || !record.is_of(outside.principal()) {
            return Ok(None);
        }
        let context = match sender.in_session(record.gateway_session.clone()).admit(&self.gateway, None).await {
            Ok(context) => context,
            // Without the gateway's session that it uses it can do nothing.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let opening = Opening {
            revision,
            profile: ClientProfile::new(record.capabilities()),
            expose,
            context,
            owns_gateway_session: record.owns_gateway_session,
            // Nobody knows what its lists showed: whoever listens next hears that they may have changed.
            marks: ListMarks::default(),
        };
        let session = Session::new(id.to_owned(), opening);
        session.set_wishes(&record.wishes);
        session.kept.set(stored.revision, record.wishes);
        // So that the process that had it last does not end it as one that nobody uses.
        let expires_at = self.expiry(&session);
        match self.records.save(StoredSession { expires_at, ..stored }).await {
            Ok(revision) => session.kept.set_own(revision, session.kept.base()),
            // Somebody writes it at the moment; the next renewal comes after that.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(self.sessions.adopt(session)))
    }

    /// Ends a session that its client needs no longer, everywhere.
    ///
    /// # Errors
    /// Those of the store; the session goes on then.
    pub(crate) async fn end_session(&self, session: &Arc<Session>) -> Result<()> {
        let _turn = session.kept.turn.lock().await;
        match self.records.delete(&session.id).await {
            Err(error) if session.kept.revision() > 0 => return Err(error),
            _ => {}
        }
        self.forget(session);
        self.end_own(session).await;
        Ok(())
    }

    /// Ends a session whose gateway session is gone: there is nothing that it could go on with anywhere.
    pub(crate) async fn give_up(&self, session: &Arc<Session>) {
        self.forget(session);
        if let Err(error) = self.records.delete(&session.id).await {
            tracing::debug!(%error, "the record of an MCP session that is over stays until its time is");
        }
    }

    /// Ends the gateway's session that was made for this one.
    pub(crate) async fn end_own(&self, session: &Session) {
        if let Some(context) = session.owned_context()
            && let Some(id) = context.session_id()
            && let Err(error) = self.gateway.delete_session(context, id).await
        {
            tracing::debug!(%error, "a client's own session was gone before it");
        }
    }

    /// Ends this process's copy of a session.
    fn forget(&self, session: &Arc<Session>) {
        self.sessions.remove(session);
        session.end();
    }

    /// Ends a session that nobody has used here for the time that it lives; for all, unless another replica has used it
    /// since.
    async fn let_go(&self, session: Arc<Session>) {
        session.end();
        let Ok(place) = self.at_once.acquire().await else { return };
        let _turn = session.kept.turn.lock().await;
        if !session.kept.is_own() {
            return;
        }
        if session.kept.revision() > 0 {
            let Some(gone) = self.stored(&session, &session.record(Wishes::default()).into_ended()) else { return };
            match self.records.save(gone).await {
                Ok(_) => {
                    if let Err(error) = self.records.delete(&session.id).await {
                        tracing::debug!(%error, "the record of an MCP session that is over stays until its time is");
                    }
                }
                // Its time was over in the store as well.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::debug!(%error, "an MCP session goes on elsewhere, or ends by the time of its record");
                    return;
                }
            }
        }
        // Its servers may take their time.
        drop(place);
        self.end_own(&session).await;
    }

    /// Brings a session and its record together, and does what the record says that the client wished elsewhere.
    async fn attend(&self, session: Arc<Session>, store_tells: bool) {
        {
            let Ok(_place) = self.at_once.acquire().await else { return };
            session.kept.is_queued.store(false, Relaxed);
            let _turn = session.kept.turn.lock().await;
            let now = session.usage(self.sessions.ttl_of(&session));
            let met = async {
                if session.kept.should_look(now, store_tells) && self.look(&session).await? == Fate::Gone {
                    return Ok(Fate::Gone);
                }
                if session.kept.should_write(now) { self.write(&session).await } else { Ok(Fate::Known) }
            };
            match met.await {
                Ok(Fate::Known) => {}
                Ok(Fate::Gone) => return self.forget(&session),
                Err(error) => {
                    session.kept.is_outdated.store(true, Relaxed);
                    tracing::debug!(%error, "an MCP session and its record are brought together later");
                }
            }
        }
        self.grant(&session).await;
    }

    /// Looks at a record. Call with its turn.
    async fn look(&self, session: &Session) -> Result<Fate> {
        session.kept.begin_look(session.age_ms());
        let known = session.kept.revision();
        let Some(stored) = self.records.load(&session.id).await? else {
            return Ok(if known > 0 { Fate::Gone } else { Fate::Known });
        };
        if stored.revision == known {
            return Ok(Fate::Known);
        }
        let unreadable = || Error::new(ErrorKind::Internal, "the record of an MCP session cannot be read");
        let record = SessionRecord::from_bytes(&stored.data).ok_or_else(unreadable)?;
        if record.ended {
            return Ok(Fate::Gone);
        }
        let merged = session.kept.base().merge(&session.wishes(), &record.wishes);
        session.set_wishes(&merged);
        if merged != record.wishes {
            session.kept.is_outdated.store(true, Relaxed);
        }
        session.kept.set(stored.revision, record.wishes);
        Ok(Fate::Known)
    }

    /// Writes a record, over what others wrote. Call with its turn.
    async fn write(&self, session: &Session) -> Result<Fate> {
        for _ in 0..ATTEMPTS {
            if session.has_ended() {
                return Ok(Fate::Gone);
            }
            session.kept.begin_write(session.age_ms());
            let wishes = session.wishes();
            let Some(stored) = self.stored(session, &session.record(wishes.clone())) else {
                session.kept.is_too_long.store(true, Relaxed);
                return Ok(Fate::Known);
            };
            let written = match stored.revision {
                0 => self.records.create(stored).await.map(|()| 1),
                _ => self.records.save(stored).await,
            };
            match written {
                Ok(revision) => {
                    session.kept.set_own(revision, wishes);
                    return Ok(Fate::Known);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fate::Gone),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    if self.look(session).await? == Fate::Gone {
                        return Ok(Fate::Gone);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others write the record of this MCP session all the time"))
    }

    /// A session's record for the store; `None` where it is too long.
    fn stored(&self, session: &Session, record: &SessionRecord) -> Option<StoredSession> {
        let (id, revision) = (session.id.clone(), session.kept.revision());
        Some(StoredSession { id, revision, expires_at: self.expiry(session), data: record.to_bytes()?.into() })
    }

    /// When the record of a session that is used now ends unless it is renewed: later than the session, since one that is only
    /// listened to is renewed rarely.
    fn expiry(&self, session: &Session) -> SystemTime {
        let ttl = self.sessions.ttl_of(session);
        let now = SystemTime::now();
        now.checked_add(ttl + ttl / 2 + 2 * TIDY_EVERY).unwrap_or(now)
    }

    /// Does what a client wished at another process: the level of log messages, resources to be watched. Nobody hears of
    /// those before it listens here.
    async fn grant(&self, session: &Session) {
        if let Some(level) = session.take_untold_level() {
            self.gateway.set_log_level(session.context(), level).await;
        }
        if !session.streams.has_listener() || session.kept.is_watching.swap(true, Relaxed) {
            return;
        }
        for uri in session.unwatched() {
            let watching = async {
                let offered = self.gateway.locate(session.context(), &Target::Resource(uri.clone()))?;
                self.gateway.watch_resource(session.context(), &offered).await
            };
            match watching.await {
                Ok(subscription) => session.watch_again(uri, subscription),
                // Its server may come back.
                Err(error) if error.kind() == ErrorKind::Unavailable => {}
                Err(error) => {
                    tracing::debug!(%error, "a resource that a client watched elsewhere cannot be watched here");
                    session.unwatch(&uri);
                }
            }
        }
        session.kept.is_watching.store(false, Relaxed);
    }

    /// The door ends, its clients' sessions need not: what has been used lately is written once more.
    async fn leave_to_others(&self, sessions: Vec<Arc<Session>>) {
        let writing = futures_util::stream::iter(&sessions).for_each_concurrent(None, |session| async {
            let Ok(_place) = self.at_once.acquire().await else { return };
            let _turn = session.kept.turn.lock().await;
            if session.is_used_since_written()
                && let Err(error) = self.write(session).await
            {
                tracing::debug!(%error, "an MCP session is left to others as its record is");
            }
        });
        if time::timeout(PATIENCE, writing).await.is_err() {
            tracing::warn!("the session store is slow; some MCP sessions are left to others as their records are");
        }
        for session in sessions {
            session.end();
            if session.kept.revision() == 0 {
                self.end_own(&session).await;
            }
        }
    }
}

/// The next change that the store tells of.
async fn hear(changes: &mut Option<Receiver<RecordChange>>) -> std::result::Result<RecordChange, RecvError> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
