//! The connection to NATS, and what there must be on the server.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, Stream};
use async_nats::{Client, ConnectOptions, Event};
use gateway_core::{Error, ErrorKind, Result, Retry};
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::time::timeout;
use tracing::info;

use crate::config::{Checked, Names, NatsLogin};
use crate::error::{too_slow, unavailable};
use crate::records::Records;

/// How many claims all gateways may hold together.
const MOST_CLAIMS: i64 = 100_000;
/// How long a step waits for a connection that is about to be.
const A_MOMENT: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Finds the connection, and makes what is missing on the server.
pub(crate) struct Linker {
    checked: Checked,
    reached: OnceCell<Reached>,
    link: Mutex<Option<Arc<Link>>>,
}

/// A client that connects by itself, for as long as it lives.
struct Reached {
    client: Client,
    line: watch::Receiver<Line>,
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    connected: bool,
    losses: u64,
}

/// What is on the server.
pub(crate) struct Link {
    pub client: Client,
    line: watch::Receiver<Line>,
    pub jetstream: Context,
    pub requests: Stream,
    pub dead: Stream,
    pub consumer: PullConsumer,
    pub records: Records,
}

impl Linker {
    pub(crate) fn new(checked: Checked) -> Self {
        Self { checked, reached: OnceCell::new(), link: Mutex::new(None) }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.checked.timeout
    }

    /// The connection, with all that there must be on the server.
    pub(crate) async fn link(&self) -> Result<Arc<Link>> {
        let reached = self.reached.get_or_try_init(|| self.reach()).await?;
        // It may be about to be connected: shortly after the start, or after a loss that nobody need see.
        let mut line = reached.line.clone();
        let soon = async { line.wait_for(|line| line.connected).await.is_ok() };
        if timeout(self.checked.timeout.min(A_MOMENT), soon).await != Ok(true) {
            return Err(Error::new(ErrorKind::Unavailable, "NATS cannot be reached").with_retry(Retry::Safe));
        }
        let mut link = self.link.lock().await;
        if let Some(link) = &*link {
            return Ok(Arc::clone(link));
        }
        let making = timeout(self.checked.timeout, Link::make(reached, &self.checked)).await;
        let made = making.unwrap_or_else(|_| Err(too_slow("prepare streams")))?;
        Ok(Arc::clone(link.insert(Arc::new(made))))
    }

    /// Something went wrong: whatever is missing on the server is made again by who comes next.
    pub(crate) async fn look_again(&self) {
        *self.link.lock().await = None;
    }

    /// Starts a client. It goes on by itself until it reaches a server, and again after each loss.
    async fn reach(&self) -> Result<Reached> {
        let (telling, line) = watch::channel(Line::default());
        let mut options = ConnectOptions::new()
            .name("mcp-gateway")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .ping_interval(Duration::from_secs(10))
            .connection_timeout(self.checked.timeout.min(Duration::from_secs(5)))
            .request_timeout(Some(self.checked.timeout))
            .reconnect_delay_callback(|attempts| {
                let doubled = Duration::from_millis(20).saturating_mul(1 << attempts.min(10));
                doubled.min(LONGEST_PAUSE)
            })
            .event_callback(move |event| {
                match event {
                    Event::Connected => telling.send_modify(|line| line.connected = true),
                    Event::Disconnected | Event::Closed => telling.send_modify(|line| {
                        *line = Line { connected: false, losses: line.losses + 1 };
                    }),
                    _ => return std::future::ready(()),
                }
                info!(line = ?*telling.borrow(), "the connection to NATS has changed");
                std::future::ready(())
            });
        if let Some(file) = &self.checked.root_certificates {
            options = options.add_root_certificates(file.clone());
        }
        options = match &self.checked.login {
            NatsLogin::Url => options,
            NatsLogin::User { name, password } => options.user_and_password(name.clone(), password.expose().to_owned()),
            NatsLogin::Token(token) => options.token(token.expose().to_owned()),
            NatsLogin::NKey(seed) => options.nkey(seed.expose().to_owned()),
            NatsLogin::CredentialsFile(path) => {
                options.credentials_file(path).await.map_err(unavailable("read the file of credentials"))?
            }
        };
        let client = options.connect(&self.checked.servers[..]).await.map_err(unavailable("connect"))?;
        Ok(Reached { client, line })
    }
}

impl Link {
    /// Does a step, and gives up as soon as the connection is lost: then no answer comes any more, though the driver would wait
    /// for it.
    pub(crate) async fn unless_lost<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let mut line = self.line.clone();
        let losses = line.borrow_and_update().losses;
        tokio::select! {
            outcome = step => outcome,
            _ = line.wait_for(|line| line.losses != losses) => {
                Err(Error::new(ErrorKind::Unavailable, "the connection to NATS was lost").with_retry(Retry::Safe))
            }
        }
    }

    async fn make(reached: &Reached, checked: &Checked) -> Result<Self> {
        let Reached { client, line } = reached;
        let jetstream =
            ContextBuilder::new().timeout(checked.timeout).ack_timeout(checked.timeout).build(client.clone());
        let names = &checked.names;
        let stream = |subject: &str, retention, max_age| Config {
            name: Names::stream(subject),
            subjects: vec![subject.to_owned()],
            retention,
            max_age,
            discard: DiscardPolicy::Old,
            num_replicas: checked.replicas,
            ..Config::default()
        };
        let make = async |config: Config| {
            // One that exists is taken as it is: an operator may have made it.
            jetstream.get_or_create_stream(config).await.map_err(unavailable("prepare a stream"))
        };
        let requests = make(stream(&names.requests, RetentionPolicy::WorkQueue, Duration::ZERO)).await?;
        make(stream(&names.responses, RetentionPolicy::Limits, checked.responses_age)).await?;
        let dead = make(stream(&names.dead, RetentionPolicy::Limits, Duration::ZERO)).await?;
        let consumer = requests.create_consumer(pull::Config {
            durable_name: Some("mcp_gateway".to_owned()),
            description: Some("all replicas of the gateway".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: checked.lease,
            max_deliver: -1,
            max_ack_pending: MOST_CLAIMS,
            ..pull::Config::default()
        });
        let consumer = consumer.await.map_err(unavailable("prepare a consumer"))?;
        let bucket = format!("{}_records", Names::stream(&names.requests));
        // The layout that every client of NATS knows as a bucket. The driver's own way of making one first asks for the
        // account, in words that servers before 2.10 do not know.
        let layout = Config {
            name: format!("KV_{bucket}"),
            subjects: vec![format!("$KV.{bucket}.>")],
            max_messages_per_subject: 1,
            max_age: checked.keep,
            discard: DiscardPolicy::New,
            num_replicas: checked.replicas,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..Config::default()
        };
        make(layout).await?;
        let store = jetstream.get_key_value(bucket).await.map_err(unavailable("prepare a bucket"))?;
        Ok(Self {
            client: client.clone(),
            line: line.clone(),
            jetstream,
            requests,
            dead,
            consumer,
            records: Records { store },
        })
    }
}
