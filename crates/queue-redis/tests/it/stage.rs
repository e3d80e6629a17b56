//! What the tests share: names of their own in a Redis, and a plain client beside the queue.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Begun, Claim, Job, JobAnswer, Priority, Queue, QueuedRequest, Secret, Settlement};
use queue_redis::{RedisQueue, RedisQueueConfig, RedisQueueNames};
use uuid::Uuid;

/// The Redis that is there.
pub(crate) const SHARED: &str = "redis://127.0.0.1:6379";

/// Long enough for whatever has to happen, unless it never happens.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Names of one test in a Redis; its keys go when it ends.
pub(crate) struct Stage {
    pub names: RedisQueueNames,
    url: String,
    prefix: String,
    plain: redis::Connection,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::at(SHARED)
    }

    pub(crate) fn at(url: &str) -> Self {
        let prefix = format!("test-{}:", Uuid::new_v4().simple());
        let plain = redis::Client::open(url).expect("a URL").get_connection();
        let plain = plain.unwrap_or_else(|error| panic!("these tests need a Redis at {url}: {error}"));
        Self { names: RedisQueueNames::with_prefix(&prefix), url: url.to_owned(), prefix, plain }
    }

    pub(crate) fn config(&self) -> RedisQueueConfig {
        RedisQueueConfig { names: self.names.clone(), ..RedisQueueConfig::new(Secret::new(&*self.url)) }
    }

    pub(crate) fn queue(&self) -> RedisQueue {
        RedisQueue::new(self.config()).expect("the settings are right")
    }

    /// A queue with a lease that ends soon.
    pub(crate) fn brief(&self, lease_ms: u64) -> RedisQueue {
        let config = RedisQueueConfig { lease: Duration::from_millis(lease_ms), ..self.config() };
        RedisQueue::new(config).expect("the settings are right")
    }

    /// A name of this test's own.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What a plain client gets for a command.
    pub(crate) fn ask<T: redis::FromRedisValue>(&mut self, command: &[&str]) -> T {
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.query(&mut self.plain).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// What a plain client gets for a command, or why not.
    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> Result<T, String> {
        command.query(&mut self.plain).map_err(|error| error.to_string())
    }

    /// What a list holds, the newest first.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        self.ask(&["LRANGE", name, "0", "-1"])
    }

    /// Pushes as any producer does.
    pub(crate) fn produce(&mut self, payload: &str) {
        let requests = self.names.requests.clone();
        let _: u64 = self.ask(&["LPUSH", &requests, payload]);
    }

    /// All keys that are left.
    pub(crate) fn keys(&mut self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", &format!("{}*", self.prefix)]);
        for key in &mut keys {
            key.drain(..self.prefix.len());
        }
        keys.sort();
        keys
    }

    /// A plain connection after a restart.
    pub(crate) fn reconnect(&mut self) {
        self.plain = redis::Client::open(&*self.url).expect("a URL").get_connection().expect("it is back");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let mut deleted = redis::cmd("EVAL");
        deleted.arg("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end").arg(0);
        let _gone_with_its_server = deleted.arg(format!("{}*", self.prefix)).exec(&mut self.plain);
    }
}

pub(crate) fn job(request_id: &str) -> Job {
    Job { request_id: request_id.to_owned(), payload: Bytes::from(request_id.to_owned()), priority: Priority::Normal }
}

pub(crate) fn request(request_id: &str, reply_to: Option<&str>) -> QueuedRequest {
    QueuedRequest { request_id: request_id.to_owned(), reply_to: reply_to.map(str::to_owned) }
}

/// The answer `{"answer": "text"}`.
pub(crate) fn answered(request: &QueuedRequest, text: &str) -> Settlement {
    Settlement::Answered(JobAnswer {
        request: request.clone(),
        completed: true,
        response: Bytes::from(format!(r#"{{"answer": "{text}"}}"#)),
        result: Bytes::from(format!("\"{text}\"")),
        timestamp: "1764000000.123".to_owned(),
    })
}

/// Exactly one job.
pub(crate) async fn claim(queue: &RedisQueue) -> Claim {
    let mut claims = queue.claim(1, LONG).await.expect("Redis is there");
    assert_eq!(claims.len(), 1, "no job in {LONG:?}");
    claims.remove(0)
}

/// Nothing, without waiting.
pub(crate) async fn claim_nothing(queue: &RedisQueue) {
    assert_eq!(queue.claim(10, Duration::ZERO).await.expect("Redis is there"), []);
}

/// Exactly one job, whose work may begin.
pub(crate) async fn begin_first(queue: &RedisQueue, request: &QueuedRequest) -> Claim {
    let claim = claim(queue).await;
    assert_eq!(queue.begin(&claim, request).await.expect("it is ours"), Begun::First);
    claim
}
