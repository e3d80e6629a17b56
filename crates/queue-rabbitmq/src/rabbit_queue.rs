//! The queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, Queue, QueueDepth, QueuedRequest, RequestRecord, Result, SessionStore,
    Settlement,
};
use tokio::sync::{OnceCell, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{Names, RabbitQueueConfig};
use crate::error::too_slow;
use crate::held::Holdings;
use crate::link::{Linker, Routed};
use crate::message;
use crate::record::Record;
use crate::records::{Kept, Records};

/// The longest request id.
const LONGEST_ID: usize = 128;

/// Jobs and answers on RabbitMQ, records of requests in a store. It connects when it is first used, and again
/// whenever the connection is lost.
pub struct RabbitQueue {
    core: Arc<Core>,
    tasks: TaskTracker,
    /// Runs once there is something to give back.
    tending: OnceCell<()>,
    /// Ends the tasks with the queue.
    ending: CancellationToken,
    _ends_tasks: DropGuard,
}

/// What the queue shares with its tasks.
pub(crate) struct Core {
    pub linker: Linker,
    pub names: Names,
    pub records: Records,
    pub holdings: Holdings,
    pub lease: Duration,
    pub timeout: Duration,
    max_depth: u64,
    max_bytes: usize,
    pub max_answer_bytes: usize,
}

impl RabbitQueue {
    /// A queue by these settings that keeps what it must remember in `records`: replicas need a store that they share.
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where a setting is wrong.
    pub fn new(config: RabbitQueueConfig, records: Arc<dyn SessionStore>) -> Result<Self> {
        let checked = config.check()?;
        let ending = CancellationToken::new();
        Ok(Self {
            core: Arc::new(Core {
                linker: Linker::new(checked.uri, checked.names.clone(), checked.timeout),
                records: Records::new(records, &checked.names.requests, checked.keep),
                names: checked.names,
                holdings: Holdings::default(),
                lease: checked.lease,
                timeout: checked.timeout,
                max_depth: checked.max_depth,
                max_bytes: checked.max_bytes,
                max_answer_bytes: checked.max_answer_bytes,
            }),
            tasks: TaskTracker::new(),
            tending: OnceCell::new(),
            _ends_tasks: ending.clone().drop_guard(),
            ending,
        })
    }

    /// Starts to give back what nobody renews.
    async fn tend(&self) {
        self.tending
            .get_or_init(async || {
                let (core, ending) = (Arc::clone(&self.core), self.ending.clone());
                self.tasks.spawn(async move {
                    ending.run_until_cancelled(core.holdings.give_back_what_ends()).await;
                });
            })
            .await;
    }

    /// A step that asks the store, and the broker a few times at most.
    async fn in_time<T>(&self, doing: &'static str, step: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.core.timeout * 2, step).await.unwrap_or_else(|_| Err(too_slow(doing)))
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    async fn push(&self, job: Job) -> Result<()> {
        self.in_time("push a job", self.core.push(job)).await
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        self.tend().await;
        let (answer, claims) = oneshot::channel();
        let core = Arc::clone(&self.core);
        let ending = self.ending.clone();
        // A task of its own: a message that arrives while the caller goes away must be given back.
        self.tasks.spawn(async move { ending.run_until_cancelled(core.pull(max, wait, answer)).await });
        claims.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the queue is closing")))
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        self.in_time("begin a job", self.core.begin(claim, request)).await
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        self.in_time("renew claims", self.core.renew(claims)).await
    }

    fn lease(&self) -> Duration {
        self.core.lease
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        self.in_time("settle a job", self.core.settle(claim, settlement)).await
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        let loading = self.core.records.load(request_id);
        Ok(self.in_time("find a request", loading).await?.map(|kept| kept.record.tell()))
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let claimed = u64::try_from(self.core.holdings.len()).unwrap_or(u64::MAX);
        self.in_time("count jobs", async {
            let waiting = self.core.waiting(&self.core.names.requests).await?;
            let dead = self.core.waiting(&self.core.names.dead).await?;
            Ok(QueueDepth { waiting, claimed, dead })
        })
        .await
    }
}

impl Core {
    async fn push(&self, job: Job) -> Result<()> {
        check_id(&job.request_id)?;
        if job.payload.len() > self.max_bytes {
            let message =
                format!("the job has {} bytes, more than the {} that are taken", job.payload.len(), self.max_bytes);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let record = Record { request: Some(job.payload.clone()), ..Record::default() };
        let mut known = self.records.load(&job.request_id).await?;
        if known.as_ref().is_some_and(|known| known.record.head.pushed || !known.record.is_waiting()) {
            return Ok(());
        }
        if self.max_depth > 0 && self.waiting(&self.names.requests).await? >= self.max_depth {
            return Err(full());
        }
        if known.is_none() {
            known = self.records.create(&job.request_id, record).await?;
        }
        let properties = message::job(&job.request_id, job.priority);
        match self.linker.publish("", &self.names.requests, &job.payload, properties).await? {
            Routed::Yes => self.mark_pushed(&job.request_id, known).await,
            Routed::Refused => Err(full()),
            Routed::No => Err(self.linker.declare_again("the queue of jobs").await),
        }
    }

    /// The job is safe. From now on a second push of it is the first one's repetition. Where the record has changed
    /// meanwhile, a claim has begun, which says the same.
    async fn mark_pushed(&self, request_id: &str, known: Option<Kept>) -> Result<()> {
        let Some(mut known) = known else { return Ok(()) };
        known.record.head.pushed = true;
        self.records.save(request_id, known).await.map(drop)
    }

    pub(crate) async fn waiting(&self, queue: &str) -> Result<u64> {
        let link = self.linker.link().await?;
        self.linker.in_time("count jobs", &link, link.waiting(queue)).await
    }

    /// Prolongs claims: here, and for others in the records of those whose work has begun.
    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for claim in claims {
            match self.renew_one(claim).await {
                Ok(true) => {}
                Ok(false) => lost.push(claim.id.clone()),
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                // One whose record cannot be read must not cost the others their leases.
                Err(error) => {
                    tracing::warn!(?error, "a claim is given up: it cannot be renewed");
                    lost.push(claim.id.clone());
                }
            }
        }
        Ok(lost)
    }

    async fn renew_one(&self, claim: &Claim) -> Result<bool> {
        let Some(held) = self.holdings.renew(&claim.id, Instant::now() + self.lease) else { return Ok(false) };
        let Some((request_id, _)) = &held.begun else { return Ok(true) };
        loop {
            let Some(mut kept) = self.records.load(request_id).await? else { return Ok(true) };
            if !kept.record.is_free_for(&claim.id) {
                self.holdings.drop_claim(&claim.id);
                return Ok(false);
            }
            if kept.record.is_answered() || kept.record.head.token.is_none() {
                return Ok(true);
            }
            kept.record.head.leased_until = held.until_unix_ms();
            if self.records.save(request_id, kept).await?.is_some() {
                return Ok(true);
            }
        }
    }
}

impl fmt::Debug for RabbitQueue {
    /// Without the address: there is a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitQueue").field("names", &self.core.names).finish_non_exhaustive()
    }
}

fn full() -> Error {
    Error::new(ErrorKind::RateLimited, "the queue is full: as many jobs wait as may").with_retry_after_ms(1000)
}

fn check_id(request_id: &str) -> Result<()> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    if (1..=LONGEST_ID).contains(&request_id.len()) && request_id.chars().all(good) {
        return Ok(());
    }
    let shown: String = request_id.chars().take(40).collect();
    let message = format!("request_id {shown:?}: give 1 to {LONGEST_ID} characters of A-Z a-z 0-9 _ . : -");
    Err(Error::new(ErrorKind::InvalidRequest, message))
}
