//! How the engine reaches upstream servers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{Error, Notification, RawJson, Result, ServerSpec, UpstreamRequest};

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
    /// What the gateway declares to be able to do for a server of the legacy era, an object
    /// (`ClientCapabilities`). A modern server hears with each request what its caller can do.
    pub client_capabilities: RawJson,
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

    /// Sends a notification, such as `notifications/roots/list_changed`. Returns when it is on its way.
    ///
    /// # Errors
    /// Where it could not be sent; the connection stays as good as it was.
    async fn notify(&self, notification: Notification) -> Result<()>;

    /// Ends the connection in order and returns when nothing of it is left (no process of its group,
    /// no task, no socket). Requests under way fail. A second call returns when the first is done.
    async fn close(&self);
}

/// Hears what an upstream server sends of its own accord. Called in wire order; must not block.
#[async_trait]
pub trait UpstreamEvents: Debug + Send + Sync + 'static {
    /// A notification that belongs to no request, such as `notifications/tools/list_changed`, or a log
    /// message (`notifications/message`) that is not surely part of one.
    fn notified(&self, method: &str, params: RawJson);

    /// The server asks its client something (`sampling/createMessage`, `roots/list`), and no request
    /// under way is surely what it asks for: those questions go to the request's [`Listener`]. Returns
    /// the `result`. Dropping the future withdraws the question.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where nobody can answer this method; the
    /// transport tells the server -32601.
    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson>;

    /// The connection ended without [`Upstream::close`]. Called once at most.
    fn closed(&self, reason: Error);

    /// The server wrote a line to its standard error, where the transport reads that; also during the handshake
    /// and after its end. Without line ends, control characters and the values of the spec's variables: people read it.
    fn wrote(&self, _line: &str) {}
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

impl UpstreamInfo {
    /// Whether the server declares this capability: `tools`, `resources`.
    pub fn declares(&self, capability: &str) -> bool {
        let declared = self.capabilities.read::<HashMap<Cow<'_, str>, &RawValue>>();
        declared.is_ok_and(|declared| declared.get(capability).is_some_and(|value| value.get() != "null"))
    }
}
