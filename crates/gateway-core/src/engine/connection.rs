//! One live connection to a server, and what is heard from it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::server::Server;
use crate::{
    Error, ErrorKind, Notification, Question, RawJson, Result, Retry, Upstream, UpstreamEvents, UpstreamRequest,
};

/// Stands in `under_way` once a connection takes no more requests. Far above any count of them.
const RETIRED: usize = usize::MAX / 2;

/// A live connection.
#[derive(Debug)]
pub(super) struct Connection {
    upstream: Arc<dyn Upstream>,
    signals: Arc<Signals>,
    opened: Instant,
    /// Requests under way, or [`RETIRED`] and above.
    under_way: AtomicUsize,
    /// Milliseconds from `opened` to the end of the last request.
    last_used_ms: AtomicU64,
}

/// What the connection's supervisor waits for.
#[derive(Debug, Default)]
pub(super) struct Signals {
    lost: OnceLock<Arc<Error>>,
    lost_notify: Notify,
    /// The server said that its tools have changed.
    pub(super) tools_changed: Notify,
    /// The server said that its prompts or resources have changed.
    pub(super) offer_changed: Notify,
    /// A request was given up or not taken, and nothing has been answered since.
    suspect: AtomicBool,
    /// A request was given up: the server may have stopped answering.
    pub(super) suspected: Notify,
    /// A request was not taken: the server may be gone.
    pub(super) doubted: Notify,
}

impl Signals {
    fn lose(&self, reason: Error) {
        if self.lost.set(Arc::new(reason)).is_ok() {
            self.lost_notify.notify_one();
        }
    }
}

impl Connection {
    pub(super) fn new(upstream: Arc<dyn Upstream>, signals: Arc<Signals>) -> Self {
        Self {
            upstream,
            signals,
            opened: Instant::now(),
            under_way: AtomicUsize::new(0),
            last_used_ms: AtomicU64::new(0),
        }
    }

    pub(super) fn upstream(&self) -> &Arc<dyn Upstream> {
        &self.upstream
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whether it takes requests.
    pub(super) fn is_alive(&self) -> bool {
        self.signals.lost.get().is_none() && !self.is_retired()
    }

    fn is_retired(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) >= RETIRED
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// Takes no more requests from here on; `false` where one is under way. A request is thus either
    /// counted before, or finds no connection and asks for a new one: none falls between.
    pub(super) fn retire(&self) -> bool {
        self.under_way.compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Returns when the connection is lost, with the reason.
    pub(super) async fn lost(&self) -> Arc<Error> {
        loop {
            if let Some(reason) = self.signals.lost.get() {
                return Arc::clone(reason);
            }
            self.signals.lost_notify.notified().await;
        }
    }

    /// Declares the connection unusable.
    pub(super) fn lose(&self, reason: Error) {
        self.signals.lose(reason);
    }

    /// How long it has lived.
    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// When it has been without a request for `timeout`; later while one is under way.
    pub(super) fn idle_at(&self, timeout: Duration) -> Instant {
        if self.is_busy() {
            return Instant::now() + timeout;
        }
        self.opened + Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed)) + timeout
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.signals.suspect.load(Ordering::Relaxed)
    }

    /// The right to send one request; `None` where the connection is [retired](Self::retire).
    pub(super) fn enter(&self) -> Option<Entry<'_>> {
        // A retired connection keeps what this adds, and stays retired.
        let before = self.under_way.fetch_add(1, Ordering::AcqRel);
        (before < RETIRED).then_some(Entry { connection: self, answered: false })
    }

    /// Keeps it from being idle; `None` where it is [retired](Self::retire).
    pub(super) fn hold(&self) -> Option<Entry<'_>> {
        self.enter().map(|mut entry| {
            entry.answered = true;
            entry
        })
    }

    /// Sends a request of the engine's own.
    ///
    /// # Errors
    /// Those of the upstream.
    pub(super) async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        match self.enter() {
            Some(entry) => entry.request(request).await,
            None => {
                Err(Error::new(ErrorKind::Unavailable, "cannot reach the server: its connection was closed unused"))
            }
        }
    }
}

/// A request under way, counted until it is dropped.
pub(super) struct Entry<'a> {
    connection: &'a Connection,
    answered: bool,
}

impl Entry<'_> {
    /// Sends the request and keeps the books on it.
    ///
    /// # Errors
    /// Those of the upstream.
    pub(super) async fn request(mut self, request: UpstreamRequest) -> Result<RawJson> {
        let answer = self.connection.upstream.request(request).await;
        self.answered = true;
        let signals = &self.connection.signals;
        match &answer {
            // Not taken. That may be the server's end or a moment of too much work, and other requests
            // may be under way: the supervisor asks the server before it gives the connection up.
            Err(error) if error.kind() == ErrorKind::Unavailable && error.retry() == Retry::Safe => {
                signals.suspect.store(true, Ordering::Relaxed);
                signals.doubted.notify_one();
            }
            _ => signals.suspect.store(false, Ordering::Relaxed),
        }
        answer
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let connection = self.connection;
        let age = u64::try_from(connection.age().as_millis()).unwrap_or(u64::MAX);
        connection.last_used_ms.store(age, Ordering::Relaxed);
        // After the time, so that who sees no request under way sees when the last one ended.
        connection.under_way.fetch_sub(1, Ordering::Release);
        if !self.answered && !connection.signals.suspect.swap(true, Ordering::Relaxed) {
            connection.signals.suspected.notify_one();
        }
    }
}

/// Hears a connection for its supervisor.
#[derive(Debug)]
pub(super) struct Ears {
    pub(super) server: Weak<Server>,
    pub(super) signals: Arc<Signals>,
}

#[async_trait]
impl UpstreamEvents for Ears {
    fn notified(&self, method: &str, params: RawJson) {
        let Some(server) = self.server.upgrade() else { return };
        tracing::trace!(target: "upstream", server = server.spec().name(), method, "notification");
        match method {
            // What the gateway shows changes when it has read the lists again.
            "notifications/tools/list_changed" => self.signals.tools_changed.notify_one(),
            "notifications/prompts/list_changed" | "notifications/resources/list_changed" => {
                self.signals.offer_changed.notify_one();
            }
            _ => server.announce(&Notification { method: method.to_owned(), params }),
        }
    }

    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson> {
        let (question, answer) = Question::new(method, params);
        if let Some(server) = self.server.upgrade() {
            server.ask(question);
        }
        answer.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::NotFound, format!("no client that could answer `{method}` is surely meant")))
        })
    }

    fn closed(&self, reason: Error) {
        self.signals.lose(reason);
    }

    fn wrote(&self, line: &str) {
        if let Some(server) = self.server.upgrade() {
            server.last_lines.push(line);
        }
    }
}
