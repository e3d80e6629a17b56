//! Opening a connection.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gateway_core::{Connect, Error, RawJson, Result, Transport, Upstream, UpstreamEvents};
use http::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use mcp_wire::{ClientIdentity, Exchange, HttpTarget, Meta, Pending, Revision, write_notification};
use tokio::sync::mpsc;

use crate::config::HttpConfig;
use crate::link::Link;
use crate::pool::{Connector, Pool};
use crate::speech::Speech;
use crate::streams;
use crate::upstream::{HttpUpstream, tell_cancellations};

/// Requests that were given up and of which the server has not been told yet. What does not fit is
/// not told: the server sees the closed connection.
const MAX_CANCELLATIONS: usize = 1024;

/// Reaches MCP servers over Streamable HTTP, in both eras of the protocol.
#[derive(Clone)]
pub struct HttpTransport {
    config: HttpConfig,
    client: ClientIdentity,
    connector: Connector,
    fallback: Option<Arc<dyn Transport>>,
}

impl HttpTransport {
    /// A transport with these settings. `https` servers must have a certificate of a public authority
    /// (the Mozilla list).
    pub fn new(config: HttpConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("ring speaks the default versions of TLS")
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = ClientIdentity::new(&config.client_name, &config.client_version);
        Self { config, client, connector, fallback: None }
    }

    /// With a transport for servers that say that they do not speak Streamable HTTP: they answer the POST
    /// of `initialize` with the status 400, 404 or 405 (2025-11-25, "Backwards Compatibility").
    #[must_use]
    pub fn with_fallback(mut self, fallback: Arc<dyn Transport>) -> Self {
        self.fallback = Some(fallback);
        self
    }

    fn link(&self, connect: &Connect, target: &HttpTarget, pending: Arc<Pending>) -> Arc<Link> {
        let limits = connect.spec.limits();
        let idle_timeout = if target.tls { self.config.tls_idle_timeout } else { self.config.idle_timeout };
        let pool = Pool::new(
            self.connector.clone(),
            target.origin.clone(),
            limits.connect_timeout(),
            idle_timeout,
            limits.max_concurrency,
        );
        let events: Arc<dyn UpstreamEvents> = Arc::clone(&connect.events);
        Link::new(pool, events, pending, limits.max_message_bytes)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    fn name(&self) -> &str {
        "http"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let Failed { error, speaks_another_transport } = match self.attempt(&connect).await {
            Ok(upstream) => return Ok(upstream),
            Err(failed) => failed,
        };
        match &self.fallback {
            Some(fallback) if speaks_another_transport => fallback.connect(connect).await.map_err(|second| {
                tracing::debug!(error = %second, transport = fallback.name(), "nor does the server speak this one");
                error.with_context("fallback", second.message())
            }),
            _ => Err(error),
        }
    }
}

/// An attempt that failed.
struct Failed {
    error: Error,
    speaks_another_transport: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, speaks_another_transport: false }
    }
}

impl HttpTransport {
    /// One attempt to open a connection. A failed one leaves nothing behind.
    async fn attempt(&self, connect: &Connect) -> std::result::Result<Arc<dyn Upstream>, Failed> {
        let agent = format!("{}/{}", self.config.client_name, self.config.client_version);
        let target = HttpTarget::new(&connect.spec, &agent)?;
        let (given_up, cancellations) = mpsc::channel(MAX_CANCELLATIONS);
        let pending = Pending::new(move |id| {
            let _ = given_up.try_send(id);
        });
        let link = self.link(connect, &target, pending);
        // Dropped with this future or with the upstream: no task outlives either.
        let guard = link.ended.clone().drop_guard();
        let client = self.client.clone().with_capabilities(connect.client_capabilities.clone());
        let opening = Opening {
            link: &link,
            target: &target,
            client: &client,
            session: Mutex::default(),
            is_refused: AtomicBool::new(false),
        };
        let shaken = mcp_wire::shake_hands(&opening, &client, connect.remembered_era).await;
        let info = shaken
            .map_err(|error| Failed { error, speaks_another_transport: opening.is_refused.load(Ordering::Relaxed) })?;
        let revision = Revision::parse(&info.protocol_version);
        let speech = Arc::new(opening.speech(revision));
        drop(opening);
        if speech.era() == gateway_core::Era::Legacy {
            let (link, speech) = (Arc::clone(&link), Arc::clone(&speech));
            let (tasks, ended) = (link.tasks.clone(), link.ended.clone());
            tasks.spawn(ended.run_until_cancelled_owned(tell_cancellations(link, speech, cancellations)));
        }
        let sweeper = Arc::clone(&link.pool);
        let sweeping = async move { sweeper.sweep().await };
        link.tasks.spawn(link.ended.clone().run_until_cancelled_owned(sweeping));
        streams::start(&link, &speech, &info);
        let close_timeout = self.config.close_timeout;
        Ok(Arc::new(HttpUpstream::new(link, speech, info, close_timeout, guard)))
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, fallback, .. } = self;
        f.debug_struct("HttpTransport").field("config", config).field("fallback", fallback).finish_non_exhaustive()
    }
}

/// A handshake under way.
struct Opening<'a> {
    link: &'a Arc<Link>,
    target: &'a HttpTarget,
    client: &'a ClientIdentity,
    session: Mutex<Option<HeaderValue>>,
    /// Whether `initialize` was refused as by a server that does not know this transport.
    is_refused: AtomicBool,
}

impl Opening<'_> {
    fn speech(&self, revision: Option<Revision>) -> Speech {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A session belongs to the legacy era; a server that speaks both may have opened one.
        let session = session.filter(|_| revision != Some(Revision::MODERN));
        Speech::new(self.target, self.client, revision, session)
    }
}

#[async_trait]
impl Exchange for Opening<'_> {
    async fn request(&self, revision: Option<Revision>, method: &'static str, params: RawJson) -> Result<RawJson> {
        let speech = Arc::new(self.speech(revision));
        let ticket = self.link.pending.register(None)?;
        let id = ticket.id();
        let answer = self.link.pool.send(speech.ask(id, method, &params, None, None), || ()).await?;
        if revision.is_none() && matches!(answer.status().as_u16(), 400 | 404 | 405) {
            self.is_refused.store(true, Ordering::Relaxed);
        }
        let session = if revision.is_none() { answer.session()? } else { None };
        let result = self.link.read(&speech, answer, id, None).await?;
        if session.is_some() {
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        }
        Ok(result)
    }

    async fn notify(&self, revision: Revision, method: &'static str) -> Result<()> {
        let mut message = Vec::new();
        write_notification(&mut message, method, &RawJson::empty_object(), &Meta::default());
        self.link.tell(&self.speech(Some(revision)), message).await
    }
}
