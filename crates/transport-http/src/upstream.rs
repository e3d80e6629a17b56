//! A live connection.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Notification, RawJson, Result, Upstream, UpstreamInfo, UpstreamRequest};
use mcp_wire::{Meta, write_notification};
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio_util::sync::DropGuard;

use crate::error;
use crate::link::Link;
use crate::speech::Speech;

/// Cancellations that are told to a server at the same time.
const CANCELLATIONS_AT_ONCE: usize = 16;

/// Longest that telling one may take.
const CANCELLATION_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one server.
pub(crate) struct HttpUpstream {
    link: Arc<Link>,
    speech: Arc<Speech>,
    info: UpstreamInfo,
    close_timeout: Duration,
    closed: OnceCell<()>,
    _ends_tasks: DropGuard,
}

impl HttpUpstream {
    pub(crate) fn new(
        link: Arc<Link>,
        speech: Arc<Speech>,
        info: UpstreamInfo,
        close_timeout: Duration,
        ends_tasks: DropGuard,
    ) -> Self {
        Self { link, speech, info, close_timeout, closed: OnceCell::new(), _ends_tasks: ends_tasks }
    }

    async fn end(&self) {
        let link = &self.link;
        let had_session = link.abandon(&error::closed(false)) && self.speech.has_session();
        link.ended.cancel();
        if had_session {
            let leaving = async {
                let answer = link.pool.send(self.speech.leave(), || ()).await?;
                answer.whole(4096).await
            };
            match tokio::time::timeout(self.close_timeout, leaving).await {
                Ok(Ok(_)) => {}
                // 405 is its right; the rest is its loss.
                Ok(Err(error)) => tracing::debug!(%error, "the server did not end the session"),
                Err(_) => tracing::debug!("the server did not end the session in time"),
            }
        }
        link.tasks.close();
        // A caller that holds its request without polling it must not hold this up.
        if tokio::time::timeout(self.close_timeout, link.tasks.wait()).await.is_err() {
            tracing::warn!("a request is still held by its caller after the connection was closed");
        }
        link.pool.close();
    }
}

#[async_trait]
impl Upstream for HttpUpstream {
    fn info(&self) -> &UpstreamInfo {
        &self.info
    }

    async fn request(&self, request: UpstreamRequest) -> Result<RawJson> {
        let UpstreamRequest { method, params, param_headers, listener, trace } = request;
        let mut ticket = self.link.pending.register(listener.clone())?;
        let id = ticket.id();
        let mut message = self.speech.ask(id, &method, &params, listener.as_ref(), trace.as_ref());
        self.speech.add_params(&mut message, &param_headers);
        let mut is_written = false;
        let _under_way = self.link.tasks.token();
        let outcome = {
            let exchange = self.link.exchange(&self.speech, message, id, listener.as_ref(), || {
                ticket.mark_sent();
                is_written = true;
            });
            self.link.ended.run_until_cancelled(pin!(exchange)).await
        };
        ticket.finish();
        outcome.unwrap_or_else(|| Err(error::closed(is_written)))
    }

    async fn notify(&self, notification: Notification) -> Result<()> {
        let mut message = Vec::new();
        write_notification(&mut message, &notification.method, &notification.params, &Meta::default());
        self.link.tell(&self.speech, message).await
    }

    async fn close(&self) {
        self.closed.get_or_init(|| self.end()).await;
    }
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstream").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Tells a legacy server which requests were given up. Its own connection was closed, but the protocol
/// says that this alone is no cancellation (2025-11-25, "Sending Messages to the Server").
pub(crate) async fn tell_cancellations(link: Arc<Link>, speech: Arc<Speech>, mut given_up: mpsc::Receiver<i64>) {
    let at_once = Arc::new(Semaphore::new(CANCELLATIONS_AT_ONCE));
    while let Some(id) = given_up.recv().await {
        let Ok(permit) = Arc::clone(&at_once).acquire_owned().await else { return };
        let (teller, speech) = (Arc::clone(&link), Arc::clone(&speech));
        let telling = async move {
            let _permit = permit;
            let params = format!(r#"{{"requestId":{id},"reason":"the caller gave up"}}"#);
            let params = RawJson::parse(params).expect("a number in a fixed text is JSON");
            let mut message = Vec::new();
            write_notification(&mut message, "notifications/cancelled", &params, &Meta::default());
            let told = tokio::time::timeout(CANCELLATION_TIMEOUT, teller.tell(&speech, message)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::debug!(id, "the server was not told of a cancellation");
            }
        };
        link.tasks.spawn(link.ended.clone().run_until_cancelled_owned(telling));
    }
}
