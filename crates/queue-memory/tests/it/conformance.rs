//! What every queue must do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Job, Priority, Queue};
use gateway_testkit::suites::{self, Broker, DeadLetter, QueueCase};
use queue_memory::{MemoryQueue, MemoryQueueConfig};

/// The queue as others see it: all that there is in one process is the queue itself.
struct InsideBroker(Arc<MemoryQueue>, AtomicU64);

#[async_trait]
impl Broker for InsideBroker {
    async fn produce(&self, payload: Bytes, priority: Priority) -> Result<(), String> {
        // Under an id that nobody else knows.
        let request_id = format!("inside-{}", self.1.fetch_add(1, Ordering::Relaxed));
        self.0.push(Job { request_id, payload, priority }).await.map_err(|error| error.to_string())
    }

    async fn reply_list(&self) -> Result<String, String> {
        Ok(format!("list-{}", self.1.fetch_add(1, Ordering::Relaxed)))
    }

    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String> {
        Ok(self.0.take_answers(list))
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String> {
        let letters = self.0.dead_letters().into_iter();
        Ok(letters.map(|letter| DeadLetter { payload: letter.payload, reason: letter.reason }).collect())
    }

    fn lease(&self) -> Duration {
        self.0.lease()
    }

    fn keeps_priorities(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_queue_must_do() {
    let make = || async {
        let config = MemoryQueueConfig { lease: Duration::from_millis(600), ..MemoryQueueConfig::default() };
        let queue = Arc::new(MemoryQueue::new(config));
        QueueCase { one: queue.clone(), two: queue.clone(), broker: Arc::new(InsideBroker(queue, AtomicU64::new(0))) }
    };
    suites::queue(make).run().await.assert_passed();
}
