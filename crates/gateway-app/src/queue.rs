//! From settings to the message queue and its door.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_core::{Credentials, Error, ErrorKind, Gateway, Queue, QueueDepth, Result, SessionStore};
use gateway_layers::{GaugeReading, MetricsHandle};
use queue_memory::{MemoryQueue, MemoryQueueConfig};
use queue_nats::{NatsQueue, NatsQueueConfig};
use queue_rabbitmq::{RabbitQueue, RabbitQueueConfig};
use queue_redis::{RedisQueue, RedisQueueConfig};
use serve_queue::{QueueDoor, QueueDoorConfig, QueueDoorStats};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{Broker, QueueSettings, Settings, StoragePlace};

/// How often it is asked how much there is to do.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Opens the queue of the settings; none where it is off. `records` keeps what a broker does not.
///
/// # Errors
/// Where its address is none; the message reads after "failed to".
pub(crate) fn open(settings: &Settings, records: &Arc<dyn SessionStore>) -> Result<Option<Arc<dyn Queue>>> {
    let queue = &settings.queue;
    if matches!((&queue.broker, &settings.storage.place), (Broker::RabbitMq(_), StoragePlace::Memory)) {
        tracing::warn!(
            "RabbitMQ keeps no record of what has begun, and storage.kind is \"memory\": a job whose gateway is killed may run \
             twice; set data.dir, storage.postgres_url or redis.url"
        );
    }
    let opened = match &queue.broker {
        Broker::Off => return Ok(None),
        Broker::Memory => Ok(Arc::new(MemoryQueue::new(MemoryQueueConfig {
            lease: queue.lease,
            max_jobs: queue.max_waiting,
            max_payload_bytes: queue.max_job_bytes,
            record_ttl: queue.record_ttl,
            ..MemoryQueueConfig::default()
        })) as Arc<dyn Queue>),
        Broker::Redis => redis(settings).map(|queue| Arc::new(queue) as Arc<dyn Queue>),
        Broker::RabbitMq(url) => RabbitQueue::new(
            RabbitQueueConfig {
                lease_ms: millis(queue.lease),
                max_depth: queue.max_waiting as u64,
                max_bytes: queue.max_job_bytes,
                keep_ms: millis(queue.record_ttl),
                ..RabbitQueueConfig::new(url.clone())
            },
            Arc::clone(records),
        )
        .map(|queue| Arc::new(queue) as Arc<dyn Queue>),
        Broker::Nats(url) => NatsQueue::new(NatsQueueConfig {
            lease_ms: millis(queue.lease),
            max_depth: queue.max_waiting as u64,
            max_bytes: queue.max_job_bytes,
            keep_ms: millis(queue.record_ttl),
            ..NatsQueueConfig::new(url.clone())
        })
        .map(|queue| Arc::new(queue) as Arc<dyn Queue>),
    };
    opened.map(Some).map_err(|error| {
        let message = format!("open the queue: {}", error.message());
        Error::new(error.kind(), message).with_source(error)
    })
}

fn redis(settings: &Settings) -> Result<RedisQueue> {
    let redis = settings.redis.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "no Redis is named"))?;
    let QueueSettings { agent_queues, lease, record_ttl, max_waiting, max_job_bytes, .. } = settings.queue;
    RedisQueue::new(RedisQueueConfig {
        agent_queues,
        lease,
        record_ttl,
        max_depth: max_waiting as u64,
        max_payload_bytes: max_job_bytes,
        ..RedisQueueConfig::new(redis.url.clone())
    })
}

/// The queue door of a gateway, and the numbers about it.
#[derive(Clone, Debug)]
pub(crate) struct QueueService {
    queue: Arc<dyn Queue>,
    door: QueueDoor,
    depth: Arc<Depth>,
    grace: Duration,
}

/// How much there was to do at the last look.
#[derive(Debug, Default)]
struct Depth {
    waiting: AtomicU64,
    claimed: AtomicU64,
    dead: AtomicU64,
}

impl QueueService {
    /// The door of `queue`. Who can write to the queue may do what the API key allows.
    pub(crate) fn new(settings: &Settings, gateway: Gateway, queue: Arc<dyn Queue>) -> Self {
        let QueueSettings { concurrency, prefetch, max_deliveries, max_job_bytes, .. } = settings.queue;
        let config = QueueDoorConfig {
            credentials: Credentials { token: settings.api_key.clone(), local: false },
            concurrency,
            prefetch,
            max_payload_bytes: max_job_bytes,
            max_nesting: settings.rest.body.nesting,
            max_deliveries,
            max_timeout_ms: settings.rest.max_timeout_ms,
            ..QueueDoorConfig::default()
        };
        let door = QueueDoor::new(gateway, Arc::clone(&queue), config);
        Self { queue, door, depth: Arc::default(), grace: settings.grace }
    }

    /// Adds its numbers to the gateway's.
    pub(crate) fn measure(&self, metrics: &MetricsHandle) {
        let depth = Arc::clone(&self.depth);
        metrics.add_gauge("queue_jobs", "Jobs in the queue, by state, as last looked at", move || {
            let read = |number: &AtomicU64| number.load(Ordering::Relaxed) as f64;
            [("waiting", &depth.waiting), ("claimed", &depth.claimed), ("dead", &depth.dead)]
                .map(|(state, number)| GaugeReading::new(read(number)).with_label("state", state))
                .to_vec()
        });
        let door = self.door.clone();
        metrics.add_gauge(
            "queue_door_jobs",
            "Jobs of this gateway's queue door since its start, by event",
            move || {
                let stats = door.stats();
                events(&stats).map(|(event, count)| GaugeReading::new(count as f64).with_label("event", event)).to_vec()
            },
        );
    }

    /// Works on jobs until `stop`, and then ends in order.
    pub(crate) async fn serve(&self, stop: &CancellationToken) {
        let looking = async {
            let mut clock = interval(LOOK_EVERY);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                // The door says in the log where the queue is away.
                if let Ok(Ok(depth)) = timeout(LOOK_EVERY, self.queue.depth()).await {
                    self.depth.store(depth);
                }
            }
        };
        tokio::select! {
            () = self.door.serve(stop, self.grace) => {}
            () = looking => {}
        }
    }
}

/// Serves a queue, where there is one; else waits for `stop`.
pub(crate) async fn serve(service: Option<&QueueService>, stop: &CancellationToken) {
    match service {
        Some(service) => service.serve(stop).await,
        None => stop.cancelled().await,
    }
}

impl Depth {
    fn store(&self, QueueDepth { waiting, claimed, dead }: QueueDepth) {
        self.waiting.store(waiting, Ordering::Relaxed);
        self.claimed.store(claimed, Ordering::Relaxed);
        self.dead.store(dead, Ordering::Relaxed);
    }
}

fn events(stats: &QueueDoorStats) -> [(&'static str, u64); 8] {
    let QueueDoorStats { taken, answered, failed, dead, duplicates, unknown_outcomes, lost_leases, released, .. } =
        *stats;
    [
        ("taken", taken),
        ("answered", answered),
        ("failed", failed),
        ("dead", dead),
        ("duplicate", duplicates),
        ("unknown_outcome", unknown_outcomes),
        ("lost_lease", lost_leases),
        ("released", released),
    ]
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
