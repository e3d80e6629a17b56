//! The queue.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, JobAnswer, Queue, QueueDepth, QueuedRequest, RequestRecord, RequestState,
    Result, Settlement,
};
use redis::ScriptInvocation;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bell::Bell;
use crate::config::{NORMAL, PRIORITIES, RedisQueueConfig};
use crate::dead_letter::{dead_letter, now};
use crate::error::unavailable_because;
use crate::link::{Link, Once};
use crate::replies::reply_list;
use crate::scripts::Scripts;

/// How long the record of a request lives that has no answer yet: a job that waits longer is done all the same.
const UNANSWERED_TTL: Duration = Duration::from_secs(7 * 86_400);

/// How long it is remembered that a claim was a duplicate.
const DUPLICATE_TTL: Duration = Duration::from_secs(60);

/// How many reply lists duplicates may add to a request.
const MAX_ALSO: usize = 64;

/// How many bytes of payload one claim takes, but for the last job: so that a batch of large ones fits into memory.
const CLAIM_BYTES: usize = 8 << 20;

/// How long a claim sleeps at most before it looks again, for leases that have been given out meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How many claims are renewed in one step.
const RENEWED_AT_ONCE: usize = 500;

/// A queue on Redis. One value is one gateway's; it is shared by all who claim there.
pub struct RedisQueue {
    config: RedisQueueConfig,
    /// Those with jobs, in the order in which they are read.
    lists: Vec<String>,
    /// Whether the next claim looks into the common list before that of what is normal.
    common_first: AtomicBool,
    link: Arc<Link>,
    bell: Bell,
    scripts: Scripts,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQueue").field("lists", &self.lists).finish_non_exhaustive()
    }
}

impl RedisQueue {
    /// Checks the settings. Redis is connected to when it is first needed, and may be away until then.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where a setting is wrong.
    pub fn new(config: RedisQueueConfig) -> Result<Self> {
        config.check()?;
        let link = Arc::new(Link::new(&config)?);
        let lists = config.lists();
        let bell = Bell::new(link.clone(), lists.clone());
        Ok(Self { config, lists, common_first: AtomicBool::new(false), link, bell, scripts: Scripts::new() })
    }

    /// Claims what there is, without waiting.
    async fn take(&self, max: usize) -> Result<Taken> {
        match self.take_once(max).await? {
            Once::Done(taken) => Ok(taken),
            // It may have taken some, which are claimed again after their lease. This attempt has ids of its own.
            Once::Closed(_) => match self.take_once(max).await? {
                Once::Done(taken) => Ok(taken),
                Once::Closed(error) => Err(error),
            },
        }
    }

    async fn take_once(&self, max: usize) -> Result<Once<Taken>> {
        let names = &self.config.names;
        let shared = self.link.connection().await?;
        let grace = shared.grace();
        let token = Uuid::new_v4().simple().to_string();
        let mut script = self.scripts.claim.key(&names.processing);
        script.key(&names.dead);
        let (first, rest) = self.lists.split_at(NORMAL.min(self.lists.len()));
        match rest {
            // Two lists of the same urgency take turns in being read first, so that neither starves behind the other.
            [normal, common, rest @ ..] if self.common_first.fetch_not(Ordering::Relaxed) => {
                script.key(first).key(common).key(normal).key(rest)
            }
            _ => script.key(first).key(rest),
        };
        script.arg(&names.claim_prefix).arg(&token).arg(max).arg(milliseconds(self.config.lease));
        script.arg(u8::from(grace.is_zero())).arg(self.config.max_payload_bytes).arg(CLAIM_BYTES);
        script.arg(names.dead_payload_prefix()).arg(now());
        let (ends_in, claims) = match self.link.invoke_on::<Vec<redis::Value>>(shared, &script).await? {
            Once::Closed(error) => return Ok(Once::Closed(error)),
            Once::Done(answer) => split(answer)?,
        };
        let next_lease_end = match ends_in {
            ends_in if ends_in < 0 => Duration::MAX,
            // A little later, so that it has ended by then.
            ends_in => Duration::from_millis(ends_in.unsigned_abs() + 1).max(grace),
        };
        let claims = claims.into_iter().map(|fields| self.claimed(fields, &token)).collect();
        Ok(Once::Done(Taken { claims, next_lease_end }))
    }

    fn claimed(&self, fields: [Bytes; 4], token: &str) -> Claim {
        let [id, deliveries, list, payload] = fields;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let list = text(&list);
        let priority = PRIORITIES.into_iter().find(|priority| self.config.names.agent_queue(*priority) == list);
        let deliveries = text(&deliveries).parse().unwrap_or(u32::MAX);
        Claim {
            // The id of the job in Redis, and which claim of it this is.
            id: format!("{}.{deliveries}", text(&id)),
            payload,
            deliveries,
            priority,
            reply_to: None,
            token: token.to_owned(),
        }
    }

    /// A script's first arguments: which claim.
    fn of_claim<'a>(&self, script: &mut ScriptInvocation<'a>, claim: &Claim) {
        script.arg(&self.config.names.claim_prefix).arg(job_of(claim)).arg(&claim.token);
    }

    /// A script's last arguments: how lists of answers are kept.
    fn of_replies<'a>(&self, script: &mut ScriptInvocation<'a>) {
        script.arg(milliseconds(self.config.reply_ttl)).arg(self.config.max_responses);
    }

    /// Hands an answer over, and perhaps a dead letter with it.
    async fn answer(&self, claim: &Claim, answer: &JobAnswer, letter: &[u8]) -> Result<String> {
        let names = &self.config.names;
        let request_id = &answer.request.request_id;
        let mut script = self.scripts.answer.key(&names.processing);
        script.key(names.record(request_id)).key(&names.responses).key(&names.dead);
        self.of_claim(&mut script, claim);
        let state = if answer.completed { RequestState::Completed } else { RequestState::Failed };
        script.arg(reply_list(&self.config, answer.request.reply_to.as_deref()));
        script.arg(&*answer.response).arg(&*answer.result).arg(state.as_str()).arg(&answer.timestamp);
        // An answer to something without a usable id is nobody's record.
        script.arg(if is_request_id(request_id) { milliseconds(self.config.record_ttl) } else { 0 });
        self.of_replies(&mut script);
        script.arg(letter);
        let remarks: Vec<String> = self.link.invoke_once(&script).await?;
        let mut remarks = remarks.into_iter();
        let what = remarks.next().unwrap_or_default();
        remarks.for_each(|remark| log_remark(&remark, request_id));
        Ok(what)
    }
}

#[async_trait]
impl Queue for RedisQueue {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn push(&self, job: Job) -> Result<()> {
        if !is_request_id(&job.request_id) {
            let message = format!(
                "the request id {:?} is none: it has 1 to 128 characters of A-Z, a-z, 0-9, `_`, `.`, `:`, `-`",
                job.request_id.chars().take(130).collect::<String>()
            );
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        let (bytes, most) = (job.payload.len(), self.config.max_payload_bytes);
        if bytes > most {
            let message = format!("the job has {bytes} bytes, and {most} are the most that the queue takes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let names = &self.config.names;
        let target = if self.config.agent_queues { names.agent_queue(job.priority) } else { names.requests.clone() };
        let mut script = self.scripts.push.key(names.record(&job.request_id));
        script.key(target).key(&self.lists);
        script.arg(&*job.payload).arg(self.config.max_depth).arg(milliseconds(UNANSWERED_TTL));
        let what: String = self.link.invoke(&script).await?;
        if what != "full" {
            return Ok(());
        }
        let message = format!("the queue is full: {} jobs wait", self.config.max_depth);
        Err(Error::new(ErrorKind::RateLimited, message).with_retry_after_ms(1_000))
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let begun = Instant::now();
        loop {
            let taken = self.take(max).await?;
            let left = wait.saturating_sub(begun.elapsed());
            if !taken.claims.is_empty() || left.is_zero() {
                return Ok(taken.claims);
            }
            self.bell.wait(left.min(taken.next_lease_end).min(LOOK_AGAIN)).await;
        }
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let names = &self.config.names;
        let mut script = self.scripts.begin.key(&names.processing);
        script.key(names.record(&request.request_id)).key(&names.responses);
        self.of_claim(&mut script, claim);
        script.arg(reply_list(&self.config, request.reply_to.as_deref()));
        script.arg(milliseconds(UNANSWERED_TTL)).arg(milliseconds(DUPLICATE_TTL)).arg(MAX_ALSO);
        self.of_replies(&mut script);
        let (what, remark): (String, String) = self.link.invoke(&script).await?;
        log_remark(&remark, &request.request_id);
        match &*what {
            "first" => Ok(Begun::First),
            "again" => Ok(Begun::Again),
            "duplicate" => Ok(Begun::Duplicate),
            _ => Err(lost(claim)),
        }
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        let names = &self.config.names;
        let mut lost = Vec::new();
        for claims in claims.chunks(RENEWED_AT_ONCE) {
            let mut script = self.scripts.renew.key(&names.processing);
            script.arg(&names.claim_prefix).arg(milliseconds(self.config.lease));
            for claim in claims {
                script.arg(job_of(claim)).arg(&claim.token);
            }
            let places: Vec<usize> = self.link.invoke(&script).await?;
            lost.extend(places.into_iter().filter_map(|place| claims.get(place)).map(|claim| claim.id.clone()));
        }
        Ok(lost)
    }

    fn lease(&self) -> Duration {
        self.config.lease
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        let names = &self.config.names;
        // Not repeated by itself: who repeats a settlement must know that `Conflict` may be its own success.
        let what = match settlement {
            Settlement::Answered(answer) => self.answer(claim, &answer, &[]).await?,
            Settlement::Dead { reason, answer: Some(answer) } => {
                self.answer(claim, &answer, &dead_letter(&reason, &claim.payload)).await?
            }
            Settlement::Dead { reason, answer: None } => {
                let mut script = self.scripts.dead.key(&names.processing);
                script.key(&names.dead);
                self.of_claim(&mut script, claim);
                script.arg(dead_letter(&reason, &claim.payload)).arg(milliseconds(self.config.record_ttl));
                self.link.invoke_once(&script).await?
            }
            Settlement::Released => {
                let mut script = self.scripts.release.key(&names.processing);
                self.of_claim(&mut script, claim);
                self.link.invoke_once(&script).await?
            }
        };
        if what == "done" { Ok(()) } else { Err(lost(claim)) }
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        if !is_request_id(request_id) {
            return Ok(None);
        }
        let script = self.scripts.record.key(self.config.names.record(request_id));
        let fields: Vec<Option<Vec<u8>>> = self.link.invoke(&script).await?;
        let mut fields = fields.into_iter().map(|field| field.map(Bytes::from));
        let [status, request, response] = std::array::from_fn(|_| fields.next().flatten());
        if status.is_none() && request.is_none() {
            return Ok(None);
        }
        let state = match status.as_deref() {
            Some(b"processing") => RequestState::Processing,
            Some(b"completed") => RequestState::Completed,
            Some(b"error") => RequestState::Failed,
            // Producers that announce their requests themselves have words of their own, such as `pending`.
            _ => RequestState::Queued,
        };
        Ok(Some(RequestRecord { request, state, response }))
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let names = &self.config.names;
        let mut script = self.scripts.depth.key(&names.processing);
        script.key(&names.dead).key(&self.lists);
        let (waiting, claimed, dead) = self.link.invoke(&script).await?;
        Ok(QueueDepth { waiting, claimed, dead })
    }
}

/// What a look at the queue has brought.
struct Taken {
    claims: Vec<Claim>,
    /// In how much time there may be more, for sure.
    next_lease_end: Duration,
}

/// The answer of the script that claims: a number, and four fields for each claim.
fn split(answer: Vec<redis::Value>) -> Result<(i64, Vec<[Bytes; 4]>)> {
    let odd = || unavailable_because("its answer is not what the script gives");
    let mut answer = answer.into_iter();
    let ends_in = answer.next().and_then(|value| redis::from_redis_value::<i64>(value).ok()).ok_or_else(odd)?;
    let claims = answer.map(|claim| {
        let fields = redis::from_redis_value::<Vec<Vec<u8>>>(claim).map_err(|_| odd())?;
        let fields: Vec<Bytes> = fields.into_iter().map(Bytes::from).collect();
        fields.try_into().map_err(|_| odd())
    });
    Ok((ends_in, claims.collect::<Result<_>>()?))
}

/// What scripts call the job of a claim.
fn job_of(claim: &Claim) -> &str {
    claim.id.rsplit_once('.').map_or(&claim.id, |(job, _)| job)
}

fn lost(claim: &Claim) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the claim is gone: its lease has ended and somebody else has the job, or it is settled",
    )
    .with_context("claim", &claim.id)
}

fn log_remark(remark: &str, request_id: &str) {
    let request_id = request_id.chars().take(128).collect::<String>();
    match remark {
        "fell back" => {
            tracing::warn!(%request_id, "an answer went to the common list: the list asked for is no list, or may not be written to");
        }
        "no record" => tracing::warn!(%request_id, "a request has no record: something else is kept under its key"),
        "too many" => {
            tracing::warn!(%request_id, "too many duplicates with reply lists of their own; this one gets no answer")
        }
        _ => {}
    }
}

fn is_request_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
