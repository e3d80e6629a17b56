//! How many jobs go through all their steps: `cargo bench -p queue-redis`. Needs a Redis on 127.0.0.1:6379.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::future::{join, join_all};
use gateway_core::{Job, JobAnswer, Priority, Queue, QueuedRequest, Secret, Settlement};
use queue_redis::{RedisQueue, RedisQueueConfig, RedisQueueNames};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// Jobs of one round.
const JOBS: usize = 500;

/// How many jobs are pushed at once.
const PUSHED_AT_ONCE: usize = 8;

fn main() {
    divan::main();
}

/// From push to answer, by gateways that claim up to eight jobs at once and work on them one after the other.
#[divan::bench(args = [1, 8], sample_count = 10, sample_size = 1)]
fn from_push_to_answer(bencher: Bencher<'_, '_>, claimers: usize) {
    let runtime = runtime();
    let config = config();
    let queues: Vec<RedisQueue> = (0..claimers).map(|_| open(&config)).collect();
    let producer = open(&config);
    bencher.counter(ItemsCount::new(JOBS)).bench_local(|| {
        let answered = AtomicUsize::new(0);
        runtime.block_on(async {
            let work = join_all(queues.iter().map(|queue| work(queue, &answered, 8)));
            join(push(&producer), work).await;
        });
    });
    clean(&config);
}

/// One job after the other, each claimed when it is waited for: what a single call over the queue costs.
#[divan::bench(sample_count = 200, sample_size = 1)]
fn one_alone(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let config = config();
    let (producer, queue) = (open(&config), open(&config));
    bencher.bench_local(|| {
        runtime.block_on(async {
            let push = async { producer.push(job()).await.expect("Redis is there") };
            let answer = async {
                for claim in queue.claim(1, Duration::from_secs(10)).await.expect("Redis is there") {
                    answer(&queue, claim).await;
                }
            };
            join(answer, push).await;
        });
    });
    clean(&config);
}

async fn push(queue: &RedisQueue) {
    join_all((0..PUSHED_AT_ONCE).map(|first| async move {
        for _ in (first..JOBS).step_by(PUSHED_AT_ONCE) {
            queue.push(job()).await.expect("Redis is there");
        }
    }))
    .await;
}

async fn work(queue: &RedisQueue, answered: &AtomicUsize, at_once: usize) {
    while answered.load(Ordering::Relaxed) < JOBS {
        // Short, so that the last ones do not wait for jobs that never come.
        for claim in queue.claim(at_once, Duration::from_millis(2)).await.expect("Redis is there") {
            answer(queue, claim).await;
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn answer(queue: &RedisQueue, claim: gateway_core::Claim) {
    let request_id = String::from_utf8_lossy(&claim.payload[..32]).into_owned();
    let request = QueuedRequest { request_id, reply_to: None };
    queue.begin(&claim, &request).await.expect("it is ours");
    let (response, result) = (Bytes::from(vec![b'x'; 500]), Bytes::from(vec![b'x'; 400]));
    let answer = JobAnswer { request, completed: true, response, result, timestamp: "1764000000.123".to_owned() };
    queue.settle(&claim, Settlement::Answered(answer)).await.expect("it is ours");
}

/// A job of three hundred bytes.
fn job() -> Job {
    let request_id = Uuid::new_v4().simple().to_string();
    let payload = Bytes::from(format!("{request_id:-<300}"));
    Job { request_id, payload, priority: Priority::Normal }
}

fn config() -> RedisQueueConfig {
    let prefix = format!("bench-{}:", Uuid::new_v4().simple());
    let names = RedisQueueNames::with_prefix(&prefix);
    RedisQueueConfig { names, ..RedisQueueConfig::new(Secret::new("redis://127.0.0.1:6379")) }
}

fn open(config: &RedisQueueConfig) -> RedisQueue {
    RedisQueue::new(config.clone()).expect("the settings are right")
}

fn clean(config: &RedisQueueConfig) {
    let pattern = config.names.requests.replace("mcp_requests", "*");
    let mut client = redis::Client::open(config.url.expose()).expect("a URL").get_connection().expect("Redis is there");
    let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
    redis::cmd("EVAL").arg(script).arg(0).arg(pattern).exec(&mut client).expect("they are gone");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}
