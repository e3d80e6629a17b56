//! The broker of the tests: streams of their own, and what a client in any other language would do.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::FutureExt as _;
use gateway_core::{Claim, Job, JobAnswer, Priority, Queue, QueuedRequest, Secret, Settlement};
use queue_nats::{NatsQueue, NatsQueueConfig};

pub const URL: &str = "nats://127.0.0.1:4222";
/// Long enough for a busy machine, short enough to wait for.
pub const LEASE: Duration = Duration::from_millis(1500);
/// As long as anything may take.
pub const SOON: Duration = Duration::from_secs(20);

/// Streams with names of their own.
#[derive(Clone)]
pub struct Broker {
    prefix: String,
    url: String,
    pub client: Client,
    pub jetstream: Context,
    /// How many messages of the common answers have been read, by prefix.
    read: Arc<AtomicU64>,
    prefixes: Arc<Mutex<Vec<String>>>,
}

impl Broker {
    /// Runs a test on the common server, and takes its streams away whatever becomes of it.
    pub async fn with<F: Future<Output = ()>>(test: impl FnOnce(Broker) -> F) {
        let broker = Self::at(URL).await;
        let outcome = std::panic::AssertUnwindSafe(test(broker.clone())).catch_unwind().await;
        let prefixes = broker.prefixes.lock().expect("whole").clone();
        for prefix in prefixes {
            for stream in ["requests", "responses", "dead"] {
                let _absent = broker.jetstream.delete_stream(format!("{prefix}_{stream}")).await;
            }
            let _absent = broker.jetstream.delete_key_value(format!("{prefix}_requests_records")).await;
        }
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    }

    pub async fn at(url: &str) -> Self {
        let client =
            async_nats::connect(url).await.unwrap_or_else(|error| panic!("NATS must listen on {url}: {error}"));
        let prefix = format!("t{}", uuid::Uuid::new_v4().simple());
        let jetstream = jetstream::new(client.clone());
        let prefixes = Arc::new(Mutex::new(vec![prefix.clone()]));
        Self { prefix, url: url.to_owned(), client, jetstream, read: Arc::default(), prefixes }
    }

    /// The same broker with other names.
    pub fn part(&self, number: u64) -> Broker {
        let prefix = format!("{}_{number}", self.prefix);
        self.prefixes.lock().expect("whole").push(prefix.clone());
        Broker { prefix, read: Arc::default(), ..self.clone() }
    }

    pub fn named(&self, subject: &str) -> String {
        format!("{}_{subject}", self.prefix)
    }

    pub fn config(&self) -> NatsQueueConfig {
        let mut config = NatsQueueConfig::new(Secret::new(self.url.clone()));
        config.requests = self.named("requests");
        config.responses = self.named("responses");
        config.dead = self.named("dead");
        config.lease_ms = u64::try_from(LEASE.as_millis()).expect("fits");
        config
    }

    /// A gateway's queue.
    pub fn queue(&self) -> NatsQueue {
        NatsQueue::new(self.config()).expect("settings")
    }

    /// Publishes a job as a producer.
    pub async fn produce(&self, payload: impl Into<Bytes>, headers: HeaderMap) {
        let publishing = self.jetstream.publish_with_headers(self.named("requests"), headers, payload.into());
        publishing.await.expect("published").await.expect("confirmed");
    }

    /// All messages of a stream, but the first ones.
    pub async fn messages(&self, stream: &str, but: u64) -> Vec<StreamMessage> {
        let mut stream = self.jetstream.get_stream(self.named(stream)).await.expect("a stream");
        let last = stream.info().await.expect("known").state.last_sequence;
        let mut messages = Vec::new();
        for sequence in but + 1..=last {
            messages.push(stream.get_raw_message(sequence).await.expect("a message"));
        }
        messages
    }

    /// The answers that have come to the common stream since the last time.
    pub async fn answers(&self) -> Vec<StreamMessage> {
        let messages = self.messages("responses", self.read.load(Ordering::SeqCst)).await;
        self.read.fetch_add(messages.len() as u64, Ordering::SeqCst);
        messages
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
pub fn answered(request: QueuedRequest, text: impl Into<Bytes>) -> Settlement {
    let (response, result, timestamp) = (text.into(), Bytes::from_static(b"null"), "0".to_owned());
    Settlement::Answered(JobAnswer { request, completed: true, response, result, timestamp })
}

/// The one job that comes soon.
pub async fn claim_one(queue: &NatsQueue) -> Claim {
    let mut claims = queue.claim(1, SOON).await.expect("claimed");
    assert_eq!(claims.len(), 1, "claims");
    claims.remove(0)
}
