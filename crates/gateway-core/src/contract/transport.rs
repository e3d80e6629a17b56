//! How the engine reaches upstream servers.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::{Error, RawJson, Result, ServerSpec};

/// Opens connections to upstream servers of one kind (`stdio`, `http`).
///
/// To write your own: implement this for a small struct of settings, return an [`Upstream`] from
/// [`connect`](Self::connect), and run `gateway_testkit`'s transport suite on it.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// The name that a server's `transport` field uses for it.
    fn name(&self) -> &str;

    /// Opens a connection and ends its handshake, so that the first request may follow.
    ///
    /// The caller bounds the time: dropping the future must leave nothing behind, neither process nor
    /// socket. A failed attempt leaves nothing behind either.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where another attempt may succeed,
    /// [`UpstreamFailed`](crate::ErrorKind::UpstreamFailed) where the server broke the protocol,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) where the spec itself can never work
    /// (no such program, no such scheme).
    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>>;
}

/// What a transport needs to open a connection.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The server to reach.
    pub spec: Arc<ServerSpec>,
    /// The era that this server spoke last time; a transport tries it first and probes when it fails.
    pub remembered_era: Option<Era>,
    /// Where to deliver what the server sends of its own accord.
    pub events: Arc<dyn UpstreamEvents>,
}

/// A live connection to one upstream server.
#[async_trait]
pub trait Upstream: Debug + Send + Sync + 'static {
    /// What the server said of itself in the handshake.
    fn info(&self) -> &UpstreamInfo;

    /// Sends one request and returns the text of its `result`, unchanged.
    ///
    /// Requests run side by side and each answer reaches its own caller. Dropping the future cancels
    /// the request: the server is told so (`notifications/cancelled`, or by closing the response
    /// stream), its late answer is thrown away, and the connection stays good.
    /// Notifications that belong to this request reach its [`Listener`] in wire order, all before the
    /// result is returned.
    ///
    /// # Errors
    /// A JSON-RPC error of the server is [`UpstreamFailed`](crate::ErrorKind::UpstreamFailed)
    /// ([`InvalidArguments`](crate::ErrorKind::InvalidArguments) for -32602), its error object as
    /// [`details`](Error::details). A connection that is gone is
    /// [`Unavailable`](crate::ErrorKind::Unavailable) with [`Retry::Safe`](crate::Retry::Safe) where the
    /// request was surely not received, else [`UpstreamFailed`](crate::ErrorKind::UpstreamFailed) with
    /// [`Retry::IfIdempotent`](crate::Retry::IfIdempotent).
    async fn request(&self, request: UpstreamRequest) -> Result<RawJson>;

    /// Ends the connection in order and returns when nothing of it is left (no process of its group,
    /// no task, no socket). Requests under way fail. A second call returns when the first is done.
    async fn close(&self);
}

/// One request to an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// The MCP method: `tools/call`.
    pub method: Cow<'static, str>,
    /// Its `params`, an object. The transport adds only what the wire needs (`_meta` fields).
    pub params: RawJson,
    /// Who hears progress and log messages of this request; none, and no progress is asked for.
    pub listener: Option<Listener>,
}

impl UpstreamRequest {
    /// A request without a listener.
    pub fn new(method: impl Into<Cow<'static, str>>, params: RawJson) -> Self {
        Self { method: method.into(), params, listener: None }
    }

    /// With someone who hears its progress.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }
}

/// Receives the notifications of one request, in wire order.
///
/// Delivery never blocks a connection that others share: where the receiver does not keep up, what
/// does not fit is dropped.
///
/// Progress belongs to one request and reaches its listener alone. A log message names no request:
/// [`UpstreamEvents::notified`] hears each of them, and so does a listener whose request it surely
/// belongs to (it came in that request's own stream, or no other request is under way).
#[derive(Clone, Debug)]
pub struct Listener(Arc<Ear>);

#[derive(Debug)]
struct Ear {
    sender: mpsc::Sender<Notification>,
    opened: Instant,
    /// Milliseconds from `opened` to the last progress, and one; 0 before the first.
    progress_ms: AtomicU64,
}

/// A notification that belongs to one request.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The MCP method: `notifications/progress`, `notifications/message`.
    pub method: String,
    /// Its `params`.
    pub params: RawJson,
}

impl Listener {
    /// A listener and the end where its notifications come out; `capacity` of them may wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Notification>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(Arc::new(Ear { sender, opened: Instant::now(), progress_ms: AtomicU64::new(0) })), receiver)
    }

    /// Hands over one notification. `false` where nobody listens any more or there is no room.
    pub fn deliver(&self, notification: Notification) -> bool {
        if notification.method == "notifications/progress" {
            let age = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.0.progress_ms.store(age.saturating_add(1), Ordering::Relaxed);
        }
        self.0.sender.try_send(notification).is_ok()
    }

    /// When progress last came, also such that was dropped.
    pub fn last_progress(&self) -> Option<Instant> {
        let age = self.0.progress_ms.load(Ordering::Relaxed).checked_sub(1)?;
        self.0.opened.checked_add(Duration::from_millis(age))
    }
}

/// Hears what an upstream server sends of its own accord. Called in wire order; must not block.
#[async_trait]
pub trait UpstreamEvents: Debug + Send + Sync + 'static {
    /// A notification that belongs to no request, such as `notifications/tools/list_changed`, or a log
    /// message (`notifications/message`), which a [`Listener`] may hear as well.
    fn notified(&self, method: &str, params: RawJson);

    /// The server asks its client something (`sampling/createMessage`, `roots/list`); returns the
    /// `result`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where nobody can answer this method; the
    /// transport tells the server -32601.
    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson>;

    /// The connection ended without [`Upstream::close`]. Called once at most.
    fn closed(&self, reason: Error);
}

/// Which half of MCP's history a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// `initialize` opens a session (2024-11-05 to 2025-11-25).
    Legacy,
    /// Every request stands alone, `server/discover` describes (2026-07-28).
    Modern,
}

/// What a server said of itself in the handshake.
#[derive(Clone, Debug)]
pub struct UpstreamInfo {
    /// The protocol revision in use: `2025-11-25`.
    pub protocol_version: String,
    /// Its era.
    pub era: Era,
    /// The whole `initialize` or `server/discover` result, as it came.
    pub raw: RawJson,
    /// Its `capabilities`, an object.
    pub capabilities: RawJson,
    /// Its name, title and version, as it came.
    pub server_info: Option<RawJson>,
    /// Its instructions.
    pub instructions: Option<String>,
    /// The process it runs in, where the gateway started it.
    pub process_id: Option<u32>,
}
