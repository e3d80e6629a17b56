//! A gateway that is stopped in the middle (SIGSTOP, a machine that sleeps) and goes on when its lease is long over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Begun, Claim, Job, JobAnswer, Queue, QueueDepth, QueuedRequest, RequestRecord, Result, Settlement};
use queue_memory::MemoryQueue;
use serde_json::json;
use serve_queue::QueueDoorConfig;

use crate::harness::{Worker, answer, call, demo, memory, settled, until};

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// Another gateway takes the job and answers it.
    Taken,
    /// Nothing: the lease is prolonged when the gateway goes on.
    Renewed,
}

/// A queue at which the whole process stands still as soon as the work of a job has begun, until the lease is over.
#[derive(Debug)]
struct Pausing {
    queue: Arc<MemoryQueue>,
    meanwhile: Meanwhile,
}

#[async_trait]
impl Queue for Pausing {
    fn name(&self) -> &'static str {
        "pausing"
    }

    async fn push(&self, job: Job) -> Result<()> {
        self.queue.push(job).await
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        self.queue.claim(max, wait).await
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let begun = self.queue.begin(claim, request).await?;
        // On the only thread of the runtime: nothing else goes on either.
        std::thread::sleep(self.queue.lease() / 2);
        if self.meanwhile == Meanwhile::Renewed {
            // As a broker does that prolongs a lease for whoever had it, as long as nobody else does.
            assert_eq!(self.queue.renew(std::slice::from_ref(claim)).await?, Vec::<String>::new());
        }
        std::thread::sleep(self.queue.lease() * 3 / 4);
        if self.meanwhile == Meanwhile::Taken {
            let others = self.queue.claim(1, Duration::ZERO).await?;
            assert_eq!(others.len(), 1, "the lease is over");
            assert_eq!(self.queue.begin(&others[0], request).await?, Begun::Again);
            let told = Settlement::Answered(JobAnswer {
                request: request.clone(),
                completed: false,
                response: Bytes::from_static(br#"{"status":"error","kind":"upstream_failed"}"#),
                result: Bytes::from_static(b"null"),
                timestamp: "1764000000.123".to_owned(),
            });
            self.queue.settle(&others[0], told).await?;
        }
        Ok(begun)
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        self.queue.renew(claims).await
    }

    fn lease(&self) -> Duration {
        self.queue.lease()
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        self.queue.settle(claim, settlement).await
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        self.queue.request(request_id).await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.queue.depth().await
    }
}

#[tokio::test]
async fn a_gateway_that_was_stopped_calls_no_tool_for_a_job_that_it_has_lost() {
    let (queue, server) = (memory(200), demo());
    let pausing = Arc::new(Pausing { queue: queue.clone(), meanwhile: Meanwhile::Taken });
    let config = QueueDoorConfig { claim_wait: Duration::from_millis(50), ..QueueDoorConfig::default() };
    let worker = Worker::with(pausing, &server, config, Duration::ZERO).await;
    call(&queue, "r", "echo", json!({})).await;
    assert_eq!(answer(&queue).await["kind"], "upstream_failed", "the other one's");
    until("it is noticed", || worker.door.stats().lost_leases == 1).await;
    assert_eq!(worker.door.stats().in_hand, 0);
    assert_eq!(server.calls(), 0, "its requester has been told to send it again under another id");
    assert!(queue.take_answers(None).is_empty());
}

#[tokio::test]
async fn a_gateway_that_was_stopped_goes_on_with_a_job_that_is_still_its_own() {
    let (queue, server) = (memory(400), demo());
    let pausing = Arc::new(Pausing { queue: queue.clone(), meanwhile: Meanwhile::Renewed });
    let config = QueueDoorConfig { claim_wait: Duration::from_millis(50), ..QueueDoorConfig::default() };
    let worker = Worker::with(pausing, &server, config, Duration::ZERO).await;
    call(&queue, "r", "echo", json!({})).await;
    assert_eq!(answer(&queue).await["status"], "completed");
    settled(&queue).await;
    assert_eq!((server.calls(), worker.door.stats().lost_leases), (1, 0));
}
