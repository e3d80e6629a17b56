//! Opening a connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Connect, Era, RawJson, Result, Transport, Upstream};
use hyper_util::client::legacy::connect::HttpConnector;
use mcp_wire::{ClientIdentity, Exchange, HttpTarget, Meta, Revision, write_notification, write_request};

use crate::client::{Connector, Http, Tasks};
use crate::config::SseConfig;
use crate::error;
use crate::link::Link;
use crate::upstream::SseUpstream;

/// A stream may be silent for ever: the operating system looks after so long whether the peer is there.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Reaches MCP servers over the HTTP+SSE transport of 2024-11-05.
///
/// ```
/// use gateway_core::Transport;
/// use transport_sse::{SseConfig, SseTransport};
///
/// let transport = SseTransport::new(SseConfig::default());
/// assert_eq!(transport.name(), "sse");
/// ```
#[derive(Clone)]
pub struct SseTransport {
    config: SseConfig,
    client: ClientIdentity,
    connector: Connector,
}

impl SseTransport {
    /// A transport with these settings. `https` servers must have a certificate of a public authority
    /// (the Mozilla list).
    pub fn new(config: SseConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        tcp.set_connect_timeout(Some(config.endpoint_timeout));
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("ring speaks the default versions of TLS")
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = ClientIdentity::new(&config.client_name, &config.client_version);
        Self { config, client, connector }
    }
}

#[async_trait]
impl Transport for SseTransport {
    fn name(&self) -> &str {
        "sse"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let agent = format!("{}/{}", self.config.client_name, self.config.client_version);
        let target = HttpTarget::new(&connect.spec, &agent)?;
        let tasks = Tasks::new();
        // Dropped with this future or with the upstream: no task outlives either.
        let guard = tasks.ended.clone().drop_guard();
        let http = Http::new(self.connector.clone(), target, &tasks);
        let opening = http.open(connect.spec.limits().max_message_bytes);
        let patience = self.config.endpoint_timeout;
        let opened = tokio::time::timeout(patience, opening).await;
        let (stream, endpoint) = opened.unwrap_or_else(|_| Err(error::no_endpoint(patience)))?;
        let link = Link::new(http, endpoint, Arc::clone(&connect.events), tasks);
        link.listen(stream);
        let client = self.client.clone().with_capabilities(connect.client_capabilities.clone());
        // Whatever is remembered: a server of this transport is older than `server/discover`.
        let opening = Opening { link: &link, client: &client };
        let info = mcp_wire::shake_hands(&opening, &client, Some(Era::Legacy)).await?;
        link.open()?;
        let meta = client.meta(info.era);
        Ok(Arc::new(SseUpstream::new(link, info, meta, guard)))
    }
}

impl fmt::Debug for SseTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseTransport").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A handshake under way.
struct Opening<'a> {
    link: &'a Link,
    client: &'a ClientIdentity,
}

#[async_trait]
impl Exchange for Opening<'_> {
    async fn request(&self, revision: Option<Revision>, method: &'static str, params: RawJson) -> Result<RawJson> {
        let era = revision.map_or(Era::Legacy, Revision::era);
        // Never marked as sent: `initialize` must not be cancelled, and may be sent to the next connection.
        let ticket = self.link.pending.register(None)?;
        let meta = self.client.meta(era);
        let meta = meta.for_request(era, ticket.id(), None, None);
        let mut message = Vec::new();
        write_request(&mut message, ticket.id(), method, &params, &meta);
        self.link.post(message.into()).await?;
        ticket.wait().await
    }

    async fn notify(&self, _revision: Revision, method: &'static str) -> Result<()> {
        let mut message = Vec::new();
        write_notification(&mut message, method, &RawJson::empty_object(), &Meta::default());
        self.link.tell(message).await
    }
}
