//! The transport: starts a server, shakes hands, returns the connection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, Era, Error, ErrorKind, RawJson, Result, Transport, Upstream, UpstreamInfo,
};
use mcp_wire::{ClientIdentity, Exchange, Revision, write_request};
use tokio_util::task::TaskTracker;

use crate::StdioConfig;
use crate::connection::{Cancelling, Connection};
use crate::error::with_last_words;
use crate::supervisor::{Leash, Start};
use crate::upstream::StdioUpstream;

/// Reaches servers that the gateway starts itself.
///
/// ```
/// use gateway_core::Transport;
/// use transport_stdio::{StdioConfig, StdioTransport};
///
/// let transport = StdioTransport::new(StdioConfig::default());
/// assert_eq!(transport.name(), "stdio");
/// ```
#[derive(Debug)]
pub struct StdioTransport {
    config: Arc<StdioConfig>,
    client: ClientIdentity,
    tracker: TaskTracker,
}

impl StdioTransport {
    /// A transport with these settings.
    pub fn new(config: StdioConfig) -> Self {
        let tracker = TaskTracker::new();
        // A closed tracker still takes tasks; it only lets `drained` return.
        tracker.close();
        let client = ClientIdentity::new("mcp-gateway", env!("CARGO_PKG_VERSION"));
        Self { config: Arc::new(config), client, tracker }
    }

    /// Returns when no process and no task of this transport is left. Connections that were dropped
    /// instead of closed end by themselves, in a few seconds at most; those that are open are waited for.
    pub async fn drained(&self) {
        self.tracker.wait().await;
    }

    /// Starts the server and shakes hands.
    async fn attempt(&self, connect: &Connect, command: &Command, era: Option<Era>) -> Attempt {
        let start = Start {
            spec: Arc::clone(&connect.spec),
            command: command.clone(),
            events: Arc::clone(&connect.events),
            config: Arc::clone(&self.config),
            tracker: self.tracker.clone(),
        };
        let (connection, leash) = match start.start().await {
            Ok(started) => started,
            Err(error) => return Attempt::Failed(error),
        };
        let patience = self.config.probe_timeout;
        let client = self.client.clone().with_capabilities(connect.client_capabilities.clone());
        let line = Line { connection: &connection, client: &client, patience };
        let shaken = mcp_wire::shake_hands(&line, &client, era).await;
        match shaken.and_then(|info| connection.open().map(|()| info)) {
            Ok(info) => Attempt::Open(self.upstream(connection, leash, info)),
            Err(error) => {
                let death = connection.death();
                leash.release().await;
                match death {
                    // A server that spoke nonsense would do so again.
                    Some(reason) if reason.kind() != ErrorKind::Unavailable => Attempt::Failed(reason),
                    Some(reason) => Attempt::Died(reason),
                    None => {
                        let last_words = connection.tail.last_words();
                        Attempt::Failed(with_last_words(&error, last_words.as_deref()))
                    }
                }
            }
        }
    }

    fn upstream(&self, connection: Arc<Connection>, leash: Leash, mut info: UpstreamInfo) -> Arc<dyn Upstream> {
        info.process_id = Some(connection.process_id);
        let meta = self.client.meta(info.era);
        Arc::new(StdioUpstream::new(connection, leash, info, meta))
    }
}

/// What became of one start.
enum Attempt {
    Open(Arc<dyn Upstream>),
    /// The process ended during the handshake.
    Died(Error),
    Failed(Error),
}

#[async_trait]
impl Transport for StdioTransport {
    fn name(&self) -> &str {
        "stdio"
    }

    async fn connect(&self, connect: Connect) -> Result<Arc<dyn Upstream>> {
        let Endpoint::Command(command) = connect.spec.endpoint() else {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "cannot start the server: the transport `stdio` takes a command and no URL",
            ));
        };
        let remembered = connect.remembered_era;
        let attempt = match self.attempt(&connect, command, remembered).await {
            // Some servers of the legacy era end at a first message that is not `initialize`.
            Attempt::Died(_) if remembered != Some(Era::Legacy) => {
                self.attempt(&connect, command, Some(Era::Legacy)).await
            }
            attempt => attempt,
        };
        match attempt {
            Attempt::Open(upstream) => Ok(upstream),
            Attempt::Died(error) | Attempt::Failed(error) => Err(error),
        }
    }
}

/// The connection as the handshake sees it.
struct Line<'a> {
    connection: &'a Connection,
    client: &'a ClientIdentity,
    patience: Duration,
}

#[async_trait]
impl Exchange for Line<'_> {
    async fn request(&self, revision: Option<Revision>, method: &'static str, params: RawJson) -> Result<RawJson> {
        let era = revision.map_or(Era::Legacy, Revision::era);
        let ticket = self.connection.pending.register(None)?;
        let meta = self.client.meta(era);
        let meta = meta.for_request(era, ticket.id(), None, None);
        let mut message = Vec::new();
        write_request(&mut message, ticket.id(), method, &params, &meta);
        self.connection.request(ticket, message, Cancelling::Silent).await
    }

    async fn notify(&self, _revision: Revision, method: &'static str) -> Result<()> {
        self.connection.notify(method, &RawJson::empty_object()).await
    }

    fn probe_patience(&self) -> Duration {
        self.patience
    }
}
