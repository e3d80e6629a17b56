//! The broker of the tests: queues of their own, and what a client in any other language would do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use gateway_core::{Claim, Job, JobAnswer, Priority, Queue, QueuedRequest, Secret, SessionStore, Settlement};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use queue_rabbitmq::{RabbitQueue, RabbitQueueConfig};
use session_store_memory::MemoryStore;

pub const URL: &str = "amqp://guest:guest@127.0.0.1:5672";
/// Long enough for a busy machine, short enough to wait for.
pub const LEASE: Duration = Duration::from_millis(1500);
/// As long as anything may take.
pub const SOON: Duration = Duration::from_secs(20);

/// Queues with names of their own, and one store for all gateways.
#[derive(Clone)]
pub struct Broker {
    pub prefix: String,
    pub records: Arc<dyn SessionStore>,
    pub channel: Channel,
    _connection: Arc<Connection>,
    /// Names of queues that were declared, to be deleted.
    declared: Arc<Mutex<BTreeSet<String>>>,
}

impl Broker {
    /// Runs a test, and takes its queues away whatever becomes of it.
    pub async fn with<F: Future<Output = ()>>(test: impl FnOnce(Broker) -> F) {
        let connection = Connection::connect(URL, ConnectionProperties::default())
            .await
            .expect("RabbitMQ must listen on 127.0.0.1:5672 and know `guest`");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let prefix = format!("t{}", uuid::Uuid::new_v4().simple());
        let records = Arc::new(MemoryStore::new());
        let broker = Broker { prefix, records, channel, _connection: Arc::new(connection), declared: Arc::default() };
        let outcome = std::panic::AssertUnwindSafe(test(broker.clone())).catch_unwind().await;
        broker.clean().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }

    async fn clean(&self) {
        let channel = self._connection.create_channel().await.expect("a channel");
        let declared = std::mem::take(&mut *self.declared.lock().expect("whole"));
        for queue in &declared {
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.expect("deleted");
            let exchange = format!("{queue}.dlx");
            channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.expect("deleted");
        }
    }

    /// The same broker with other names.
    pub fn part(&self, number: u64) -> Broker {
        Broker { prefix: format!("{}_{number}", self.prefix), ..self.clone() }
    }

    pub fn named(&self, queue: &str) -> String {
        let name = format!("{}_{queue}", self.prefix);
        self.declared.lock().expect("whole").insert(name.clone());
        name
    }

    pub fn config(&self) -> RabbitQueueConfig {
        let mut config = RabbitQueueConfig::new(Secret::new(URL));
        config.requests = self.named("requests");
        config.responses = self.named("responses");
        config.dead = self.named("dead");
        config.lease_ms = u64::try_from(LEASE.as_millis()).expect("fits");
        config
    }

    /// A gateway's queue.
    pub fn queue(&self) -> RabbitQueue {
        self.queue_by(self.config())
    }

    pub fn queue_by(&self, config: RabbitQueueConfig) -> RabbitQueue {
        RabbitQueue::new(config, Arc::clone(&self.records)).expect("settings")
    }

    /// Declares a queue as most clients do: durable, without arguments.
    pub async fn declare(&self, queue: &str) -> String {
        let name = self.named(queue);
        let options = QueueDeclareOptions::durable();
        self.channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.expect("declared");
        name
    }

    /// Publishes a job as a producer.
    pub async fn produce(&self, payload: impl AsRef<[u8]>, properties: BasicProperties) {
        let queue = self.declare("requests").await;
        let options = BasicPublishOptions::default();
        let publishing =
            self.channel.basic_publish("".into(), queue.as_str().into(), options, payload.as_ref(), properties);
        publishing.await.expect("published").await.expect("confirmed");
    }

    /// The next message of a queue, if it comes soon.
    pub async fn next(&self, queue: &str) -> Delivery {
        let taking = async {
            loop {
                if let Some(delivery) = self.now(queue).await {
                    return delivery;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, taking).await.unwrap_or_else(|_| panic!("no message on {queue}"))
    }

    /// The next message of a queue, if it is there.
    pub async fn now(&self, queue: &str) -> Option<Delivery> {
        self.take(&self.named(queue)).await
    }

    /// The same for one with that whole name.
    pub async fn take(&self, name: &str) -> Option<Delivery> {
        let got = self.channel.basic_get(name.into(), BasicGetOptions::default()).await.expect("got")?;
        got.delivery.ack(BasicAckOptions::default()).await.expect("acknowledged");
        Some(got.delivery)
    }
}

pub fn job(id: &str) -> Job {
    Job { request_id: id.to_owned(), payload: Bytes::from(format!("job {id}")), priority: Priority::Normal }
}

pub fn request(id: &str) -> QueuedRequest {
    QueuedRequest { request_id: id.to_owned(), reply_to: None }
}

pub fn request_to(id: &str, reply_to: &str) -> QueuedRequest {
    QueuedRequest { request_id: id.to_owned(), reply_to: Some(reply_to.to_owned()) }
}

/// Answers `text` to a request.
pub fn answered(request: QueuedRequest, text: &str) -> Settlement {
    Settlement::Answered(JobAnswer {
        request,
        completed: true,
        response: Bytes::from(text.to_owned()),
        result: Bytes::from_static(b"null"),
        timestamp: "0".to_owned(),
    })
}

/// The one job that comes soon.
pub async fn claim_one(queue: &RabbitQueue) -> Claim {
    let mut claims = queue.claim(1, SOON).await.expect("claimed");
    assert_eq!(claims.len(), 1, "claims");
    claims.remove(0)
}
