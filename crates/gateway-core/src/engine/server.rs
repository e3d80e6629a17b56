//! One upstream server as the engine sees it: its spec, its state, its tools, its connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::fleet::Fleet;
use super::last_lines::LastLines;
use super::session_events::Audience;
use super::subscription::Watches;
use super::supervisor;
use crate::{
    Era, Error, ErrorKind, LogLevel, Notification, Question, Result, ServerOffer, ServerSpec, ServerStatus, ServerTools,
};

/// A caller waits for a reconnection that is due within this time; for a later one it is told to
/// come back.
const WORTH_WAITING: Duration = Duration::from_secs(1);

/// A server that can never work as configured is tried again at most this often.
const RETRY_FAILED_AFTER: Duration = Duration::from_secs(5);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Switched off in its configuration.
    Disabled,
    /// Not connected, since nobody needs it; the next call connects.
    Idle,
    /// Being connected, or its tools are being read for the first time.
    Connecting,
    /// Connected, and its tools are known.
    Ready,
    /// Connected, but not in order: its tools could not be read, or it has stopped answering.
    Degraded,
    /// Lost or not reached; the next attempt is due soon.
    BackingOff,
    /// Can never work as it is configured; tried again when somebody calls it.
    Failed,
}

impl ServerState {
    /// Whether an attempt to connect is still open, so that waiting may help.
    fn is_pending(self) -> bool {
        matches!(self, Self::Idle | Self::Connecting)
    }

    /// The state of a server that nobody has needed yet.
    pub(super) fn at_rest(spec: &ServerSpec) -> Self {
        if spec.disabled() { Self::Disabled } else { Self::Idle }
    }
}

/// Whether a server is kept connected or connected when needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Connected from the start and again after every loss.
    Kept,
    /// Connected by the first call; after a loss, by the next call.
    OnDemand,
}

/// One upstream server of one session (or of all, where its spec says `shared`).
#[derive(Debug)]
pub struct Server {
    id: u64,
    spec: Arc<ServerSpec>,
    pub(super) presence: Presence,
    pub(super) fleet: Arc<Fleet>,
    pub(super) connection: ArcSwapOption<Connection>,
    tools: ArcSwap<ServerTools>,
    offer: ArcSwap<ServerOffer>,
    status: watch::Sender<Status>,
    pub(super) watches: Watches,
    pub(super) last_lines: LastLines,
    /// Those who hear what it says of its own accord.
    audiences: Mutex<Vec<Weak<Audience>>>,
    log_level: Mutex<Option<LogLevel>>,
    life: Mutex<Life>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// What is known of a server's condition.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: ServerState,
    pub(super) last_error: Option<Arc<Error>>,
    /// When the last attempt ended, or when the next one is due.
    pub(super) at: Instant,
    /// Whether its tools were ever read.
    pub(super) listed: bool,
}

/// Whether the supervisor runs and whether it should, and what the next one must know.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) running: bool,
    pub(super) wanted: bool,
    /// When it was first needed.
    began: Option<Instant>,
    /// Attempts that failed and connections that were lost soon, since the last good one.
    pub(super) failures: u32,
    /// The era that it spoke last.
    pub(super) era: Option<Era>,
}

impl Server {
    pub(super) fn new(spec: Arc<ServerSpec>, presence: Presence, fleet: Arc<Fleet>) -> Self {
        let known = fleet.known(&spec);
        let status = Status {
            state: ServerState::at_rest(&spec),
            last_error: None,
            at: Instant::now(),
            listed: known.is_some(),
        };
        let (tools, era) = match known {
            Some((tools, era)) => (tools, Some(era)),
            None => {
                let seed = fleet.seed(&spec);
                (seed.unwrap_or_else(|| Arc::new(ServerTools::new(spec.name(), "", Vec::new()))), None)
            }
        };
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            presence,
            connection: ArcSwapOption::empty(),
            tools: ArcSwap::new(tools),
            offer: ArcSwap::new(fleet.known_offer(&spec).unwrap_or_default()),
            status: watch::Sender::new(status),
            watches: Watches::default(),
            last_lines: LastLines::default(),
            audiences: Mutex::default(),
            log_level: Mutex::default(),
            life: Mutex::new(Life { era, ..Life::default() }),
            stop: fleet.stop.child_token(),
            fleet,
            tasks: TaskTracker::new(),
            spec,
        }
    }

    /// A number of its own in this process, never used again.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it is.
    pub fn spec(&self) -> &Arc<ServerSpec> {
        &self.spec
    }

    /// Where it is in its life.
    pub fn state(&self) -> ServerState {
        self.status.borrow().state
    }

    /// Its tools as they were last read.
    pub(crate) fn tools(&self) -> Arc<ServerTools> {
        self.tools.load_full()
    }

    /// What it offers besides tools, as it was last read.
    pub(crate) fn offer(&self) -> Arc<ServerOffer> {
        self.offer.load_full()
    }

    /// The era that it speaks, or spoke last.
    pub(crate) fn era(&self) -> Era {
        let connection = self.connection.load();
        let current = connection.as_ref().map(|connection| connection.upstream().info().era);
        current.or_else(|| self.life().era).unwrap_or(Era::Legacy)
    }

    /// The protocol revision in use, where it is connected.
    pub(crate) fn protocol_version(&self) -> Option<String> {
        let connection = self.connection.load();
        connection.as_ref().map(|connection| connection.upstream().info().protocol_version.clone())
    }

    /// Whether its tools were ever read, by this connection or another one to the same spec. Those that it had before
    /// this process began do not count: it may have others by now.
    pub(crate) fn is_listed(&self) -> bool {
        self.status.borrow().listed
    }

    /// Whether nothing is wrong with it. One that is being connected is in order where its tools are
    /// known and no failure came before: it was idle and is needed again.
    pub(crate) fn is_in_order(&self) -> bool {
        let status = self.status.borrow();
        match status.state {
            ServerState::Disabled | ServerState::Idle | ServerState::Ready => true,
            ServerState::Connecting => status.listed && status.last_error.is_none(),
            ServerState::Degraded | ServerState::BackingOff | ServerState::Failed => false,
        }
    }

    /// For how long it has been needed; nothing where it has just become so.
    pub(crate) fn age(&self) -> Duration {
        self.life().began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// All that is known of it.
    pub(crate) fn describe(&self) -> ServerStatus {
        let status = self.status.borrow().clone();
        let tools = self.tools.load();
        let connection = self.connection.load();
        let info = connection.as_ref().map(|connection| connection.upstream().info());
        ServerStatus {
            spec: Arc::clone(&self.spec),
            state: status.state,
            last_error: status.last_error.map(|error| error.to_string()),
            stderr_tail: self.last_lines.to_vec(),
            tools: tools.tools().iter().map(|tool| tool.name().to_owned()).collect(),
            rejected: tools.rejected().to_vec(),
            warnings: tools.warnings().to_vec(),
            protocol_version: info.map(|info| info.protocol_version.clone()),
            process_id: info.and_then(|info| info.process_id),
            about: tools.about().to_owned(),
        }
    }

    /// Lets those who hear a session hear this server.
    pub(super) fn join(&self, audience: &Arc<Audience>) {
        let mut audiences = lock(&self.audiences);
        audiences.retain(|one| one.strong_count() > 0);
        if !audiences.iter().any(|one| std::ptr::eq(one.as_ptr(), Arc::as_ptr(audience))) {
            audiences.push(Arc::downgrade(audience));
        }
    }

    /// The opposite of [`join`](Self::join).
    pub(super) fn leave(&self, audience: &Arc<Audience>) {
        lock(&self.audiences).retain(|one| !std::ptr::eq(one.as_ptr(), Arc::as_ptr(audience)));
    }

    /// It says something of its own accord.
    pub(super) fn announce(&self, notification: &Notification) {
        for audience in lock(&self.audiences).iter().filter_map(Weak::upgrade) {
            audience.hear(self.spec.name(), self.spec.uuid(), notification);
        }
    }

    /// It asks something outside of any request. Only where one session holds it, somebody may answer;
    /// else the question is dropped.
    pub(super) fn ask(&self, question: Question) {
        let audiences: Vec<_> = lock(&self.audiences).iter().filter_map(Weak::upgrade).collect();
        if let [only] = audiences.as_slice() {
            only.ask(question);
        }
    }

    /// Notes that somebody wants log messages from `level` on; `false` where they come already.
    pub(super) fn want_log_level(&self, level: LogLevel) -> bool {
        let mut wanted = lock(&self.log_level);
        let is_shared = self.spec.shared() || self.presence == Presence::Kept;
        let new = wanted.filter(|_| is_shared).map_or(level, |old| old.min(level));
        wanted.replace(new) != Some(new)
    }

    /// The log messages that somebody wants.
    pub(super) fn log_level(&self) -> Option<LogLevel> {
        *lock(&self.log_level)
    }

    /// The live connection, opened when there is none.
    ///
    /// # Errors
    /// Why there is none: the last attempt's error, at once where the next attempt is not due soon.
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>> {
        if let Some(connection) = self.live() {
            return Ok(connection);
        }
        let mut status = self.status.subscribe();
        // Cloned in a statement of its own: `start` writes the status, which the borrow would block.
        let before = status.borrow_and_update().clone();
        self.start(&before)?;
        loop {
            if let Some(connection) = self.live() {
                return Ok(connection);
            }
            let seen = status.borrow_and_update().clone();
            match seen.state {
                ServerState::Failed | ServerState::Disabled => return Err(self.refusal(&seen)),
                ServerState::BackingOff if seen.at > Instant::now() + WORTH_WAITING => {
                    return Err(self.refusal(&seen));
                }
                // At rest again, after a pause that was worth waiting for or since it was idle: a wish
                // that was uttered before has been dealt with.
                ServerState::Idle => self.start(&seen)?,
                _ => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(self.gone()),
                changed = status.changed() => changed.map_err(|_| self.gone())?,
            }
        }
    }

    /// Starts connecting if nothing of the kind is under way; waits for nothing.
    pub(crate) fn wake(self: &Arc<Self>) {
        let status = self.status.borrow().clone();
        let _ = self.start(&status);
    }

    /// Waits until the first attempt has ended well or badly.
    ///
    /// # Errors
    /// Why it ended badly.
    pub(crate) async fn settled(self: &Arc<Self>) -> Result<()> {
        if self.spec.disabled() {
            return Ok(());
        }
        self.wake();
        let mut status = self.status.subscribe();
        loop {
            let seen = status.borrow_and_update().clone();
            match seen.state {
                ServerState::Failed | ServerState::BackingOff => return Err(self.refusal(&seen)),
                state if !state.is_pending() => return Ok(()),
                _ => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(self.gone()),
                changed = status.changed() => changed.map_err(|_| self.gone())?,
            }
        }
    }

    /// Ends it: no reconnection, and when this returns no process and no task of it is left.
    pub(crate) async fn end(&self) {
        {
            // With the lock, so that `start` spawns either before or not at all.
            let _life = self.life();
            self.stop.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn set_state(&self, state: ServerState) {
        self.status.send_modify(|status| {
            status.state = state;
            status.at = Instant::now();
        });
    }

    pub(super) fn set_trouble(&self, state: ServerState, error: Arc<Error>, at: Instant) {
        tracing::warn!(server = self.spec.name(), ?state, error = ?error, "upstream in trouble");
        self.status.send_modify(|status| {
            status.state = state;
            status.last_error = Some(error);
            status.at = at;
        });
    }

    /// Takes over a list of tools; equal content keeps the memory that is shared already.
    pub(super) fn set_tools(&self, tools: ServerTools, era: Era) {
        let tools = self.fleet.share_tools(&self.spec, tools, era);
        if !Arc::ptr_eq(&self.tools.load(), &tools) {
            self.tools.store(tools);
            self.fleet.catalogue_changed();
        }
        self.status.send_modify(|status| status.listed = true);
    }

    /// Takes over what it offers besides tools.
    pub(super) fn set_offer(&self, offer: ServerOffer) {
        let offer = self.fleet.share_offer(&self.spec, offer);
        if self.offer.load().content_hash() != offer.content_hash() {
            self.offer.store(offer);
            self.fleet.catalogue_changed();
        }
    }

    pub(super) fn set_ready(&self) {
        self.status.send_modify(|status| {
            status.state = ServerState::Ready;
            status.last_error = None;
            status.at = Instant::now();
        });
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        lock(&self.life)
    }

    pub(super) fn live(&self) -> Option<Arc<Connection>> {
        let connection = self.connection.load();
        connection.as_ref().filter(|connection| connection.is_alive()).map(Arc::clone)
    }

    fn start(self: &Arc<Self>, status: &Status) -> Result<()> {
        if self.spec.disabled() {
            return Err(self.refusal(status));
        }
        let mut life = self.life();
        if self.stop.is_cancelled() {
            return Err(self.gone());
        }
        if self.live().is_some() {
            // A wish now would undo the next idle time.
            return Ok(());
        }
        if life.running {
            life.wanted = true;
            return Ok(());
        }
        if status.state == ServerState::Failed && status.at.elapsed() < RETRY_FAILED_AFTER {
            return Err(self.refusal(status));
        }
        life.began.get_or_insert_with(Instant::now);
        life.running = true;
        self.set_state(ServerState::Connecting);
        self.tasks.spawn(supervisor::run(Arc::clone(self)));
        Ok(())
    }

    fn refusal(&self, status: &Status) -> Error {
        let name = self.spec.name();
        if self.spec.disabled() {
            return Error::new(ErrorKind::Unavailable, format!("server `{name}` is disabled in its configuration"));
        }
        let wait = status.at.saturating_duration_since(Instant::now());
        let cause = status
            .last_error
            .as_ref()
            .map_or_else(|| "it is not connected".to_owned(), |error| error.message().to_owned());
        let mut error = Error::new(ErrorKind::Unavailable, format!("server `{name}` is not available: {cause}"));
        if !wait.is_zero() {
            error = error.with_retry_after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        error
    }

    fn gone(&self) -> Error {
        let name = self.spec.name();
        Error::new(ErrorKind::Unavailable, format!("server `{name}` has been removed, or the gateway stops"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
