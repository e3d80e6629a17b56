//! One live connection to a server, and what is heard from it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::{Error, ErrorKind, RawJson, Result, Retry, Upstream, UpstreamEvents, UpstreamRequest};

/// A live connection.
#[derive(Debug)]
pub(super) struct Connection {
    upstream: Arc<dyn Upstream>,
    signals: Arc<Signals>,
    opened: Instant,
    under_way: AtomicUsize,
    /// Milliseconds from `opened` to the end of the last request.
    last_used_ms: AtomicU64,
    /// Given back when the connection is dropped, which is after its process has ended.
    _process: Option<OwnedSemaphorePermit>,
}

/// What the connection's supervisor waits for.
#[derive(Debug, Default)]
pub(super) struct Signals {
    lost: OnceLock<Arc<Error>>,
    lost_notify: Notify,
    /// The server said that its tools have changed.
    pub(super) tools_changed: Notify,
    /// A request was given up, and nothing has been answered since.
    suspect: AtomicBool,
    pub(super) suspected: Notify,
}

impl Signals {
    fn lose(&self, reason: Error) {
        if self.lost.set(Arc::new(reason)).is_ok() {
            self.lost_notify.notify_one();
        }
    }
}

impl Connection {
    pub(super) fn new(
        upstream: Arc<dyn Upstream>,
        signals: Arc<Signals>,
        process: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            upstream,
            signals,
            opened: Instant::now(),
            under_way: AtomicUsize::new(0),
            last_used_ms: AtomicU64::new(0),
            _process: process,
        }
    }

    pub(super) fn upstream(&self) -> &Arc<dyn Upstream> {
        &self.upstream
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) fn is_alive(&self) -> bool {
        self.signals.lost.get().is_none()
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
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Instant::now() + timeout;
        }
        self.opened + Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed)) + timeout
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.signals.suspect.load(Ordering::Relaxed)
    }

    /// Sends a request and keeps the books on it.
    pub(super) async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        let mut entry = Entry::new(self);
        let answer = self.upstream.request(request).await;
        entry.answered = true;
        self.signals.suspect.store(false, Ordering::Relaxed);
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Unavailable
            && error.retry() == Retry::Safe
        {
            self.lose(error.duplicate());
        }
        answer
    }
}

/// A request under way, counted until it is dropped.
struct Entry<'a> {
    connection: &'a Connection,
    answered: bool,
}

impl<'a> Entry<'a> {
    fn new(connection: &'a Connection) -> Self {
        connection.under_way.fetch_add(1, Ordering::Relaxed);
        Self { connection, answered: false }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let connection = self.connection;
        connection.under_way.fetch_sub(1, Ordering::Relaxed);
        let age = u64::try_from(connection.age().as_millis()).unwrap_or(u64::MAX);
        connection.last_used_ms.store(age, Ordering::Relaxed);
        if !self.answered && !connection.signals.suspect.swap(true, Ordering::Relaxed) {
            connection.signals.suspected.notify_one();
        }
    }
}

/// Hears a connection for its supervisor.
#[derive(Debug)]
pub(super) struct Ears {
    pub(super) server: String,
    pub(super) signals: Arc<Signals>,
}

#[async_trait]
impl UpstreamEvents for Ears {
    fn notified(&self, method: &str, params: RawJson) {
        match method {
            "notifications/tools/list_changed" => self.signals.tools_changed.notify_one(),
            "notifications/message" => {
                tracing::debug!(target: "upstream", server = self.server, bytes = params.as_bytes().len(), "log message");
            }
            _ => tracing::trace!(target: "upstream", server = self.server, method, "notification"),
        }
    }

    async fn asked(&self, method: &str, _params: RawJson) -> Result<RawJson> {
        Err(Error::new(ErrorKind::NotFound, format!("the gateway does not answer `{method}`")))
    }

    fn closed(&self, reason: Error) {
        self.signals.lose(reason);
    }
}
