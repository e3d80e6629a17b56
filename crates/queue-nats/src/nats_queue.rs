//! The queue.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, Queue, QueueDepth, QueuedRequest, RequestRecord, Result, Settlement,
};
use tokio::time::{Instant, timeout};
use tracing::debug;
use uuid::Uuid;

use crate::config::{Names, NatsQueueConfig};
use crate::error::{too_slow, unavailable};
use crate::held::{Held, Holdings};
use crate::link::{Link, Linker};
use crate::publish::{headers, too_large};
use crate::record::{Delivery, Record, Stage};
use crate::records::{Envelope, Kept};

/// The longest request id.
const LONGEST_ID: usize = 128;
/// How many jobs one claim takes at most, whatever is asked for: their leases run from the first.
const MOST_AT_ONCE: usize = 256;
/// How long one pull waits at the server: one that is lost with its connection is asked again after that.
const LONGEST_PULL: Duration = Duration::from_secs(2);
/// What headers take of a message's largest size.
pub(crate) const ROOM_FOR_HEADERS: usize = 4096;
/// The header of a job that says where its answer goes.
pub(crate) const REPLY_TO: &str = "Reply-To";

/// Jobs, answers and records of requests on NATS JetStream. It connects when it is first used, and again
/// whenever the connection is lost.
pub struct NatsQueue {
    pub(crate) linker: Linker,
    pub(crate) names: Names,
    pub(crate) holdings: Holdings,
    lease: Duration,
    keep: Duration,
    max_depth: u64,
    max_bytes: usize,
}

impl NatsQueue {
    /// A queue by these settings. Nothing is connected yet.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where a setting is wrong.
    pub fn new(config: NatsQueueConfig) -> Result<Self> {
        let checked = config.check()?;
        Ok(Self {
            names: checked.names.clone(),
            holdings: Holdings::default(),
            lease: checked.lease,
            keep: checked.keep,
            max_depth: checked.max_depth,
            max_bytes: checked.max_bytes,
            linker: Linker::new(checked),
        })
    }

    /// A step that asks the server a few times at most. Where that fails, it may be that something is missing there.
    async fn in_time<T>(&self, doing: &'static str, step: impl AsyncFnOnce(Arc<Link>) -> Result<T>) -> Result<T> {
        let stepping = async {
            let link = self.linker.link().await?;
            link.unless_lost(step(Arc::clone(&link))).await
        };
        let outcome = timeout(self.linker.timeout() * 2, stepping).await.unwrap_or_else(|_| Err(too_slow(doing)));
        if let Err(error) = &outcome
            && error.kind() == ErrorKind::Unavailable
        {
            self.linker.look_again().await;
        }
        outcome
    }
}

#[async_trait]
impl Queue for NatsQueue {
    fn name(&self) -> &'static str {
        "nats"
    }

    async fn push(&self, job: Job) -> Result<()> {
        check_id(&job.request_id)?;
        self.in_time("push a job", async |link| self.push_to(&link, job).await).await
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let max = max.min(MOST_AT_ONCE);
        let until = Instant::now() + wait;
        loop {
            let claims = self.in_time("take jobs", async |link| self.take_waiting(&link, max).await).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !claims.is_empty() || left.is_zero() {
                return Ok(claims);
            }
            let pull = left.min(LONGEST_PULL).min(self.linker.timeout());
            let claims = self.in_time("take jobs", async |link| self.take_next(&link, pull).await).await?;
            if !claims.is_empty() {
                return Ok(claims);
            }
        }
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        self.in_time("begin a job", async |link| self.start(&link, claim, request).await).await
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        self.in_time("renew claims", async |link| {
            let mut lost = Vec::new();
            for claim in claims {
                match self.renew_one(&link, claim).await {
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
        })
        .await
    }

    fn lease(&self) -> Duration {
        self.lease
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        self.in_time("settle a job", async |link| self.end(&link, claim, settlement).await).await
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        self.in_time("find a request", async |link| {
            let Some(kept) = link.records.load(request_id).await? else { return Ok(None) };
            let request = link.records.envelope(request_id, Envelope::Request).await?;
            let response = match kept.record.is_answered() {
                true => link.records.envelope(request_id, Envelope::Response(kept.record.claim())).await?,
                false => None,
            };
            Ok(Some(RequestRecord { request, state: kept.record.state(), response }))
        })
        .await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.in_time("count jobs", async |link| {
            let (waiting, claimed) = count(&link).await?;
            let dead = link.dead.get_info().await.map_err(unavailable("count jobs"))?.state.messages;
            Ok(QueueDepth { waiting, claimed, dead })
        })
        .await
    }
}

impl NatsQueue {
    async fn push_to(&self, link: &Link, job: Job) -> Result<()> {
        if job.payload.len() > self.max_bytes {
            let message =
                format!("the job has {} bytes, more than the {} that are taken", job.payload.len(), self.max_bytes);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if job.payload.len() + ROOM_FOR_HEADERS > link.client.max_payload() {
            return Err(too_large(link.client.max_payload()));
        }
        let mut known = link.records.load(&job.request_id).await?;
        if known.as_ref().is_some_and(|known| known.record.pushed || known.record.stage != Stage::Queued) {
            return Ok(());
        }
        if self.max_depth > 0 && count(link).await?.0 >= self.max_depth {
            let message = format!("the queue is full: {} jobs wait", self.max_depth);
            return Err(Error::new(ErrorKind::RateLimited, message).with_retry_after_ms(1000));
        }
        if known.is_none() {
            link.records.keep_envelope(&job.request_id, Envelope::Request, job.payload.clone()).await?;
            let push_id = Uuid::new_v4().simple().to_string();
            let record = Record { push_id, ..Record::default() };
            known = link.records.put(&job.request_id, record, None).await?;
        }
        // Where another push has been quicker, its id is the one under which the broker knows the job.
        let known = match known {
            Some(known) => known,
            None => match link.records.load(&job.request_id).await? {
                Some(known) if !known.record.pushed => known,
                _ => return Ok(()),
            },
        };
        let headers = headers([("Content-Type", "application/json"), ("Priority", job.priority.as_str())]);
        link.store(&self.names.requests, &known.record.push_id, headers, job.payload).await?;
        // Where the record has changed meanwhile, a claim has begun, which says the same.
        let Kept { mut record, revision } = known;
        record.pushed = true;
        link.records.put(&job.request_id, record, Some(revision)).await.map(drop)
    }

    /// Takes what waits now.
    async fn take_waiting(&self, link: &Link, max: usize) -> Result<Vec<Claim>> {
        let fetching = link.consumer.fetch().max_messages(max).messages();
        let mut messages = fetching.await.map_err(unavailable("take jobs"))?;
        let mut claims = Vec::new();
        loop {
            let next = match timeout(self.linker.timeout(), messages.next()).await {
                Ok(next) => next,
                Err(_) if claims.is_empty() => return Err(too_slow("take jobs")),
                Err(_) => None,
            };
            match next {
                Some(Ok(message)) => claims.extend(self.hold(message)),
                Some(Err(error)) if claims.is_empty() => return Err(unavailable("take jobs")(error)),
                _ => return Ok(claims),
            }
        }
    }

    /// Waits for one that comes.
    async fn take_next(&self, link: &Link, wait: Duration) -> Result<Vec<Claim>> {
        let pulling = link.consumer.batch().max_messages(1).expires(wait).messages();
        let mut messages = pulling.await.map_err(unavailable("take jobs"))?;
        match messages.next().await {
            Some(Ok(message)) => Ok(self.hold(message).into_iter().collect()),
            Some(Err(error)) => Err(unavailable("take jobs")(error)),
            None => Ok(Vec::new()),
        }
    }

    /// Makes a claim of a message.
    fn hold(&self, message: Message) -> Option<Claim> {
        let delivery = match message.info() {
            Ok(info) => {
                Delivery { sequence: info.stream_sequence, delivery: u64::try_from(info.delivered).unwrap_or(1) }
            }
            Err(error) => {
                debug!(error, "a message of no stream was delivered");
                return None;
            }
        };
        let (message, acker) = message.split();
        let headers = message.headers.unwrap_or_default();
        let reply_to = headers.get(REPLY_TO).map(|value| value.as_str().to_owned());
        let id = Uuid::new_v4().simple().to_string();
        let now = Instant::now();
        let held = Held {
            acker: Arc::new(acker),
            delivery,
            headers: Arc::new(headers),
            // The server's clock has run since it sent the message.
            until: now + self.lease - self.lease / 20,
            begun: None,
            written: now,
        };
        self.holdings.insert(id.clone(), held);
        Some(Claim {
            token: id.clone(),
            id,
            payload: message.payload,
            deliveries: u32::try_from(delivery.delivery).unwrap_or(u32::MAX),
            priority: None,
            reply_to: reply_to.filter(|subject| !subject.is_empty()),
        })
    }

    async fn renew_one(&self, link: &Link, claim: &Claim) -> Result<bool> {
        let Some(held) = self.holdings.get(claim) else { return Ok(false) };
        let until = Instant::now() + self.lease;
        held.acker.double_ack_with(AckKind::Progress).await.map_err(unavailable("renew a claim"))?;
        self.holdings.change(&claim.id, |held| held.until = until);
        let Some((request_id, _)) = held.begun.filter(|_| held.written.elapsed() > self.keep / 4) else {
            return Ok(true);
        };
        // The record must outlive the work.
        if let Some(kept) = link.records.load(&request_id).await?
            && kept.record.is_free_for(held.delivery)
        {
            link.records.put(&request_id, kept.record, Some(kept.revision)).await?;
        }
        self.holdings.change(&claim.id, |held| held.written = Instant::now());
        Ok(true)
    }
}

/// How many jobs wait, and how many are in somebody's hands. The consumer knows; the stream of a server before 2.10 that was
/// killed may show messages again that are long done.
async fn count(link: &Link) -> Result<(u64, u64)> {
    let consumer = link.consumer.get_info().await.map_err(unavailable("count jobs"))?;
    Ok((consumer.num_pending, u64::try_from(consumer.num_ack_pending).unwrap_or(u64::MAX)))
}

impl fmt::Debug for NatsQueue {
    /// Without the address: there may be a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsQueue").field("names", &self.names).finish_non_exhaustive()
    }
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
