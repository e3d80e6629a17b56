//! From what was typed of the message queue to what it means.

use std::time::Duration;

use gateway_core::Secret;

use super::read::GIB;
use super::reader::Reader;
use super::storage::RedisSettings;

/// The longest that a lease may be.
const LONGEST_LEASE_MS: u64 = 60 * 60 * 1000;

/// The message queue.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// Which broker carries it.
    pub broker: Broker,
    /// Whether the lists of four priorities are read, too (Redis only).
    pub agent_queues: bool,
    /// Jobs that are worked on at once.
    pub concurrency: usize,
    /// Jobs that are claimed beyond those, so that the urgent ones among them come first.
    pub prefetch: usize,
    /// How long a claim lives without a sign of life.
    pub lease: Duration,
    /// How long a request and its answer can be asked for.
    pub record_ttl: Duration,
    /// Jobs that may wait; more are refused.
    pub max_waiting: usize,
    /// After so many claims without an end a job is laid aside.
    pub max_deliveries: u32,
    /// Largest job.
    pub max_job_bytes: usize,
}

/// Which broker carries the queue.
#[derive(Clone, Debug)]
pub enum Broker {
    /// None, and no queue.
    Off,
    /// None: the queue is in this process.
    Memory,
    /// The Redis of [`RedisSettings`].
    Redis,
    /// RabbitMQ.
    RabbitMq(Secret),
    /// NATS with JetStream.
    Nats(Secret),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Auto,
    Off,
    Memory,
    Redis,
    RabbitMq,
    Nats,
}

const KINDS: [(&str, Kind); 6] = [
    ("auto", Kind::Auto),
    ("off", Kind::Off),
    ("memory", Kind::Memory),
    ("redis", Kind::Redis),
    ("rabbitmq", Kind::RabbitMq),
    ("nats", Kind::Nats),
];

/// The queue.
pub(super) fn queue(reader: &mut Reader<'_>, redis: Option<&RedisSettings>) -> QueueSettings {
    QueueSettings {
        broker: broker(reader, redis),
        agent_queues: reader.flag("queue.agent_queues", false),
        concurrency: reader.count("queue.concurrency", 1..=10_000, 64),
        prefetch: reader.count("queue.prefetch", 0..=10_000, 64),
        lease: Duration::from_millis(reader.number("queue.lease_ms", 1_000..=LONGEST_LEASE_MS, 30_000)),
        record_ttl: Duration::from_secs(reader.number("queue.record_ttl_seconds", 60..=30 * 24 * 3600, 3_600)),
        max_waiting: reader.count("queue.max_waiting", 1..=100_000_000, 100_000),
        max_deliveries: u32::try_from(reader.number("queue.max_deliveries", 1..=1_000, 5)).unwrap_or(u32::MAX),
        max_job_bytes: reader.count("queue.max_job_bytes", 1024..=GIB, 16 * 1024 * 1024),
    }
}

fn broker(reader: &mut Reader<'_>, redis: Option<&RedisSettings>) -> Broker {
    let kind = reader.choice("queue.kind", &KINDS, Kind::Auto);
    let url = reader.secret("queue.url").filter(|url| !url.expose().is_empty());
    if url.is_some() && !matches!(kind, Kind::RabbitMq | Kind::Nats) {
        reader.mistake("queue.url", "is for queue.kind = \"rabbitmq\" or \"nats\"; Redis has its own section, [redis]");
    }
    let scheme = |url: &Secret, schemes: &[&str]| schemes.iter().any(|scheme| url.expose().starts_with(scheme));
    match (kind, url) {
        (Kind::Auto, _) => redis.map_or(Broker::Memory, |_| Broker::Redis),
        (Kind::Off, _) => Broker::Off,
        (Kind::Memory, _) => Broker::Memory,
        (Kind::Redis, _) => {
            if redis.is_none() {
                reader.mistake("queue.kind", "needs a Redis: set REDIS_HOST, or redis.url");
            }
            Broker::Redis
        }
        (Kind::RabbitMq, Some(url)) if scheme(&url, &["amqp://", "amqps://"]) => Broker::RabbitMq(url),
        (Kind::Nats, Some(url)) if scheme(&url, &["nats://", "tls://"]) => Broker::Nats(url),
        (Kind::RabbitMq, _) => {
            reader.mistake(
                "queue.url",
                "must be as in amqp://user:password@host:5672/vhost for queue.kind = \"rabbitmq\"",
            );
            Broker::Off
        }
        (Kind::Nats, _) => {
            reader.mistake("queue.url", "must be as in nats://host:4222 for queue.kind = \"nats\"");
            Broker::Off
        }
    }
}
