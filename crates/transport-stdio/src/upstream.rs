//! One open connection.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Notification, RawJson, Result, Upstream, UpstreamInfo, UpstreamRequest};
use mcp_wire::{Meta, Ticket, listen_params, write_request};

use crate::connection::{Cancelling, Connection};
use crate::supervisor::Leash;

/// One server that was started and has shaken hands. Dropping it ends the server in the background.
#[derive(Debug)]
pub(crate) struct StdioUpstream {
    connection: Arc<Connection>,
    leash: Leash,
    info: UpstreamInfo,
    /// What every request of the server's era carries.
    meta: Meta,
    /// The place of `subscriptions/listen`, whose answer comes when the server ends it. Its
    /// notifications come like all others, so nobody waits for it.
    _listening: Option<Ticket>,
}

impl StdioUpstream {
    /// An open connection. A modern server is asked to tell of changes.
    pub(crate) fn new(connection: Arc<Connection>, leash: Leash, info: UpstreamInfo, meta: Meta) -> Self {
        let listening = listen_params(&info).and_then(|params| {
            let ticket = connection.pending.register(None).ok()?;
            let meta = meta.for_request(info.era, ticket.id(), None, None);
            let mut message = Vec::new();
            write_request(&mut message, ticket.id(), "subscriptions/listen", &params, &meta);
            connection.post(message).ok().map(|()| ticket)
        });
        Self { connection, leash, info, meta, _listening: listening }
    }
}

#[async_trait]
impl Upstream for StdioUpstream {
    fn info(&self) -> &UpstreamInfo {
        &self.info
    }

    async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        let UpstreamRequest { method, params, listener, trace, .. } = request;
        let ticket = self.connection.pending.register(listener.clone())?;
        let meta = self.meta.for_request(self.info.era, ticket.id(), listener.as_ref(), trace.as_ref());
        let mut message = Vec::new();
        write_request(&mut message, ticket.id(), &method, &params, &meta);
        self.connection.request(ticket, message, Cancelling::Told).await
    }

    async fn notify(&self, notification: Notification) -> Result<()> {
        self.connection.notify(&notification.method, &notification.params).await
    }

    async fn close(&self) {
        self.leash.release().await;
    }
}
