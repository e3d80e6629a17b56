//! A live connection.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Notification, RawJson, Result, Upstream, UpstreamInfo, UpstreamRequest};
use mcp_wire::{Meta, Ticket, listen_params, write_notification, write_request};
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use crate::error;
use crate::link::{Link, Outgoing};

/// A connection to one server.
pub(crate) struct SseUpstream {
    link: Arc<Link>,
    info: UpstreamInfo,
    /// What every request of the server's era carries.
    meta: Meta,
    /// The place of `subscriptions/listen`, whose answer comes when the server ends it. Its
    /// notifications come like all others, so nobody waits for it.
    _listening: Option<Ticket>,
    _ends_tasks: DropGuard,
}

impl SseUpstream {
    /// An open connection. A modern server is asked to tell of changes.
    pub(crate) fn new(link: Arc<Link>, info: UpstreamInfo, meta: Meta, ends_tasks: DropGuard) -> Self {
        let listening = listen_params(&info).and_then(|params| {
            let ticket = link.pending.register(None).ok()?;
            let mut message = Vec::new();
            let meta = meta.for_request(info.era, ticket.id(), None, None);
            write_request(&mut message, ticket.id(), "subscriptions/listen", &params, &meta);
            let teller = Arc::clone(&link);
            link.tasks.spawn(async move {
                if let Err(error) = teller.tell(message).await {
                    tracing::debug!(%error, "no subscription");
                }
            });
            Some(ticket)
        });
        Self { link, info, meta, _listening: listening, _ends_tasks: ends_tasks }
    }
}

#[async_trait]
impl Upstream for SseUpstream {
    fn info(&self) -> &UpstreamInfo {
        &self.info
    }

    async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        let UpstreamRequest { method, params, listener, trace, .. } = request;
        let mut ticket = self.link.pending.register(listener.clone())?;
        let meta = self.meta.for_request(self.info.era, ticket.id(), listener.as_ref(), trace.as_ref());
        let mut message = Vec::new();
        write_request(&mut message, ticket.id(), &method, &params, &meta);
        ticket.mark_sent();
        let (caller, answer) = oneshot::channel();
        self.link.tasks.spawn(Arc::clone(&self.link).carry(ticket, Outgoing { message, trace }, caller));
        answer.await.unwrap_or_else(|_| Err(error::closed_under_way()))
    }

    async fn notify(&self, notification: Notification) -> Result<()> {
        // Fails where the connection has ended.
        self.link.pending.register(None)?;
        let mut message = Vec::new();
        write_notification(&mut message, &notification.method, &notification.params, &Meta::default());
        self.link.tell(message).await
    }

    async fn close(&self) {
        let tasks = &self.link.tasks;
        self.link.close();
        tasks.ended.cancel();
        tasks.tracker.close();
        tasks.tracker.wait().await;
    }
}

impl fmt::Debug for SseUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseUpstream").field("info", &self.info).finish_non_exhaustive()
    }
}
