//! The connection to RabbitMQ: opened when first needed, and again after each loss.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result, Retry};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{debug, info};

use crate::config::Names;
use crate::error::{too_slow, unavailable};
use crate::reply::is_direct;

/// The first pause between two attempts to connect; it doubles with each that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Finds the connection that lives, or makes one.
pub(crate) struct Linker {
    uri: AMQPUri,
    names: Names,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    failures: u32,
    not_before: Option<Instant>,
}

/// One connection, and its channels. An error on a channel ends the channel, so jobs are taken by one and all else goes by
/// others.
pub(crate) struct Link {
    connection: Connection,
    /// Takes jobs, and acknowledges them.
    pub taking: Channel,
    /// Publishes with confirms.
    publishing: Channel,
    /// Held while a consumer is set up, since how much it may take is a setting of the channel.
    pub setting_up: Mutex<()>,
}

/// Whether a message has found a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    Yes,
    No,
    /// The queue does not take any more.
    Refused,
}

impl Linker {
    pub(crate) fn new(uri: AMQPUri, names: Names, timeout: Duration) -> Self {
        Self { uri, names, timeout, state: Mutex::new(State::default()) }
    }

    /// The connection. Attempts are spaced: in between, the answer is that there is none.
    pub(crate) async fn link(&self) -> Result<Arc<Link>> {
        let mut state = self.state.lock().await;
        if let Some(link) = state.link.take_if(|link| !link.lives()) {
            info!("the connection to RabbitMQ is lost");
            drop(link);
        }
        if let Some(link) = &state.link {
            return Ok(Arc::clone(link));
        }
        if let Some(left) =
            state.not_before.map(|at| at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
        {
            let milliseconds = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
            return Err(Error::new(
                ErrorKind::Unavailable,
                "RabbitMQ cannot be reached; the next attempt is due shortly",
            )
            .with_retry(Retry::Safe)
            .with_retry_after_ms(milliseconds));
        }
        // Whoever drops this future in the middle leaves a pause behind as well: an attempt has been made.
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(LONGEST_PAUSE);
        state.not_before = Some(Instant::now() + pause);
        state.failures += 1;
        let opened = timeout(self.timeout, Link::open(&self.uri, &self.names)).await;
        let link = opened.map_err(|_| too_slow("connect"))?.map_err(|error| unavailable("connect", error))?;
        let link = Arc::new(link);
        *state = State { link: Some(Arc::clone(&link)), ..State::default() };
        debug!("connected to RabbitMQ");
        Ok(link)
    }

    /// Gives a connection up that has stopped to answer.
    pub(crate) async fn give_up(&self, link: &Arc<Link>) {
        let mut state = self.state.lock().await;
        if let Some(dead) = state.link.take_if(|current| Arc::ptr_eq(current, link)) {
            // Where the other end is silent this says nothing either; the connection ends with its last owner.
            let closing = dead.connection.close(320, "the connection does not answer".into());
            drop(timeout(Duration::from_millis(100), closing).await);
        }
    }

    /// A queue of ours takes nothing: somebody has deleted it, or limited it. The next connection declares it again.
    pub(crate) async fn declare_again(&self, what: &str) -> Error {
        if let Ok(link) = self.link().await {
            self.give_up(&link).await;
        }
        let message = format!("{what} is gone from RabbitMQ or takes no more");
        Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe)
    }

    /// Publishes, and waits until the broker has it safe. Where no queue takes it, that is said.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<Routed> {
        let link = self.link().await?;
        let publishing = link.publish(exchange, routing_key, payload, properties);
        self.in_time("publish", &link, publishing).await
    }

    /// Waits for an answer of the broker for as long as that may take.
    pub(crate) async fn in_time<T>(
        &self,
        doing: &'static str,
        link: &Arc<Link>,
        asking: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T> {
        match timeout(self.timeout, asking).await {
            Ok(answer) => answer.map_err(|error| unavailable(doing, error)),
            Err(_) => {
                self.give_up(link).await;
                Err(too_slow(doing))
            }
        }
    }
}

impl Link {
    async fn open(uri: &AMQPUri, names: &Names) -> lapin::Result<Self> {
        let properties = ConnectionProperties::default().with_connection_name("mcp-gateway".into());
        let connection = Connection::connect_uri(uri.clone(), properties).await?;
        for queue in [&names.requests, &names.responses, &names.dead] {
            ensure_queue(&connection, queue).await?;
        }
        let publishing = connection.create_channel().await?;
        publishing.confirm_select(ConfirmSelectOptions::default()).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = names.dead_exchange.as_str();
        publishing.exchange_declare(exchange.into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;
        let dead = names.dead.as_str();
        let key = names.requests.as_str().into();
        publishing
            .queue_bind(dead.into(), exchange.into(), key, QueueBindOptions::default(), FieldTable::default())
            .await?;
        let taking = connection.create_channel().await?;
        Ok(Self { connection, taking, publishing, setting_up: Mutex::new(()) })
    }

    fn lives(&self) -> bool {
        self.connection.status().connected() && self.taking.status().connected() && self.publishing.status().connected()
    }

    async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        payload: &[u8],
        properties: BasicProperties,
    ) -> lapin::Result<Routed> {
        // Brokers of some versions (3.10 is one) return what they have just delivered to a direct client.
        let mandatory = !is_direct(routing_key);
        let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
        let publishing =
            self.publishing.basic_publish(exchange.into(), routing_key.into(), options, payload, properties);
        Ok(match publishing.await?.await? {
            Confirmation::Ack(None) => Routed::Yes,
            Confirmation::Ack(Some(_)) => Routed::No,
            // `NotRequested` cannot be: the channel is in confirm mode.
            Confirmation::Nack(_) | Confirmation::NotRequested => Routed::Refused,
        })
    }

    /// How many messages wait in a queue. By a channel of its own: a queue that is gone ends the channel that asks.
    pub(crate) async fn waiting(&self, queue: &str) -> lapin::Result<u64> {
        let channel = self.connection.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
        Ok(u64::from(declared.message_count()))
    }
}

/// Makes a queue durable, as any producer does, where there is none; takes it as it is where there is one: an
/// operator may have declared it with arguments of his own.
async fn ensure_queue(connection: &Connection, queue: &str) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
    match found {
        Err(error) if error.is_amqp_soft_error() && connection.status().connected() => {
            let channel = connection.create_channel().await?;
            channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), FieldTable::default()).await.map(drop)
        }
        found => found.map(drop),
    }
}
