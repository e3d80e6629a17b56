//! Queues that are away, and leases that are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, Queue, QueueDepth, QueuedRequest, RequestRecord, Result, Settlement,
};
use queue_memory::MemoryQueue;
use serde_json::json;
use serve_queue::QueueDoorConfig;

use crate::harness::{Worker, answer, call, demo, error, memory, settled, until};

/// A queue that can be told to be away, or to have lost everything.
#[derive(Debug)]
struct Unsteady {
    queue: Arc<MemoryQueue>,
    away: AtomicBool,
    loses: AtomicBool,
    /// Settlements that come through, but whose success nobody hears of.
    unheard: AtomicUsize,
    max_answer: usize,
    refused: AtomicUsize,
}

impl Unsteady {
    fn new(queue: &Arc<MemoryQueue>) -> Arc<Self> {
        Arc::new(Self::over(queue))
    }

    fn over(queue: &Arc<MemoryQueue>) -> Self {
        Self {
            queue: Arc::clone(queue),
            away: AtomicBool::new(false),
            loses: AtomicBool::new(false),
            unheard: AtomicUsize::new(0),
            max_answer: usize::MAX,
            refused: AtomicUsize::new(0),
        }
    }

    fn there(&self) -> Result<()> {
        if self.away.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Error::new(ErrorKind::Unavailable, "away"));
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for Unsteady {
    fn name(&self) -> &'static str {
        "unsteady"
    }

    async fn push(&self, job: Job) -> Result<()> {
        self.queue.push(job).await
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        self.there()?;
        self.queue.claim(max, wait.min(Duration::from_millis(50))).await
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        self.there()?;
        self.queue.begin(claim, request).await
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        self.there()?;
        if self.loses.load(Ordering::SeqCst) {
            return Ok(claims.iter().map(|claim| claim.id.clone()).collect());
        }
        self.queue.renew(claims).await
    }

    fn lease(&self) -> Duration {
        self.queue.lease()
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        self.there()?;
        if let Settlement::Answered(answer) = &settlement
            && answer.response.len() > self.max_answer
        {
            return Err(Error::new(ErrorKind::TooLarge, "a message may have few bytes"));
        }
        self.queue.settle(claim, settlement).await?;
        let unheard = self.unheard.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if unheard.is_ok() {
            return Err(Error::new(ErrorKind::Unavailable, "the connection broke"));
        }
        Ok(())
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        self.queue.request(request_id).await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.queue.depth().await
    }
}

async fn worker(unsteady: &Arc<Unsteady>, server: &gateway_testkit::fakes::FakeServer) -> Worker {
    Worker::with(unsteady.clone(), server, QueueDoorConfig::default(), Duration::from_secs(5)).await
}

#[tokio::test]
async fn a_queue_that_is_away_is_waited_for() {
    let (queue, server) = (memory(30_000), demo());
    let unsteady = Unsteady::new(&queue);
    unsteady.away.store(true, Ordering::SeqCst);
    let worker = worker(&unsteady, &server).await;
    call(&queue, "r-1", "echo", json!({})).await;
    until("the door has tried a few times", || unsteady.refused.load(Ordering::SeqCst) >= 3).await;
    unsteady.away.store(false, Ordering::SeqCst);
    assert_eq!(answer(&queue).await["status"], "completed");
    worker.stop().await;
}

#[tokio::test]
async fn an_answer_is_kept_until_the_queue_is_back() {
    let (queue, server) = (memory(30_000), demo());
    let unsteady = Unsteady::new(&queue);
    let worker = worker(&unsteady, &server).await;
    call(&queue, "r-1", "slow", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    unsteady.away.store(true, Ordering::SeqCst);
    until("claims and the answer are refused", || unsteady.refused.load(Ordering::SeqCst) >= 8).await;
    assert!(queue.take_answers(None).is_empty());
    unsteady.away.store(false, Ordering::SeqCst);
    assert_eq!(answer(&queue).await["status"], "completed");
    assert_eq!(server.calls(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn an_answer_whose_success_nobody_heard_of_is_one_answer() {
    let (queue, server) = (memory(30_000), demo());
    let unsteady = Unsteady::new(&queue);
    unsteady.unheard.store(1, Ordering::SeqCst);
    let worker = worker(&unsteady, &server).await;
    call(&queue, "r-1", "echo", json!({})).await;
    assert_eq!(answer(&queue).await["status"], "completed");
    until("it is counted once", || worker.door.stats().answered == 1 && worker.door.stats().in_hand == 0).await;
    assert!(queue.take_answers(None).is_empty());
    assert_eq!(worker.door.stats().lost_leases, 0);
}

#[tokio::test]
async fn the_work_of_a_lost_claim_is_dropped_and_not_answered() {
    let (queue, server) = (memory(300), demo());
    let unsteady = Unsteady::new(&queue);
    let worker = worker(&unsteady, &server).await;
    call(&queue, "r", "hang", json!({})).await;
    until("the call is under way", || server.calls() == 1).await;
    unsteady.loses.store(true, Ordering::SeqCst);
    until("the call is cancelled", || server.cancelled() == 1).await;
    until("it is counted", || worker.door.stats().lost_leases == 1 && worker.door.stats().in_hand == 0).await;
    assert_eq!(worker.door.stats().answered, 0);
    worker.kill().await;
    let other = Worker::start(&queue, &server).await;
    error(&answer(&queue).await, "upstream_failed");
    settled(&queue).await;
    assert_eq!(server.calls(), 1);
    until("it is counted", || other.door.stats().unknown_outcomes == 1).await;
}

#[tokio::test]
async fn an_answer_that_the_queue_does_not_take_is_an_error() {
    let (queue, server) = (memory(30_000), demo());
    let unsteady = Arc::new(Unsteady { max_answer: 300, ..Unsteady::over(&queue) });
    let _worker = worker(&unsteady, &server).await;
    call(&queue, "r", "odd", json!({})).await;
    error(&answer(&queue).await, "too_large");
    assert_eq!(server.calls(), 1);
}
