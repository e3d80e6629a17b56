//! What a queue holds, and how it changes. Nothing here waits.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, JobAnswer, Priority, QueueDepth, QueuedRequest, RequestRecord, RequestState,
    Result, Settlement,
};
use tokio::time::Instant;

use crate::bounded::Bounded;
use crate::{DeadLetter, MemoryQueueConfig};

/// Lists, besides that of the request itself, in which one answer is wanted, at most.
const MAX_COPIES: usize = 100;

/// What a record costs beside its bytes.
const RECORD_OVERHEAD: usize = 256;

/// The number of a job: younger ones have greater numbers.
type JobNumber = u64;

#[derive(Debug)]
pub(crate) struct State {
    config: MemoryQueueConfig,
    next: u64,
    jobs: HashMap<JobNumber, Held>,
    job_bytes: usize,
    waiting: BTreeSet<(Turn, JobNumber)>,
    leases: BTreeSet<(Instant, JobNumber)>,
    records: HashMap<String, Record>,
    /// Which records are of answered requests, and since when.
    answered: Bounded<(Instant, String)>,
    answers: Bounded<(Option<String>, Bytes)>,
    dead: Bounded<DeadLetter>,
}

/// A job that waits or is claimed.
#[derive(Debug)]
struct Held {
    request_id: String,
    payload: Bytes,
    priority: Priority,
    deliveries: u32,
    lease: Option<Lease>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    token: String,
    until: Instant,
}

/// When a job's turn is: before that of greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Lost,
    Ranked(std::cmp::Reverse<Priority>),
}

/// What is known of a request.
#[derive(Debug)]
struct Record {
    job: JobNumber,
    request: Bytes,
    state: RequestState,
    response: Option<Bytes>,
    /// What the newest claim was told, and which that was.
    begun: Option<(String, Begun)>,
    reply_to: Option<String>,
    /// Other lists in which its answer is wanted.
    copies: Vec<Option<String>>,
}

impl State {
    pub(crate) fn new(config: MemoryQueueConfig) -> Self {
        let (count, bytes) = (config.max_records, config.max_record_bytes);
        Self {
            next: 0,
            jobs: HashMap::new(),
            job_bytes: 0,
            waiting: BTreeSet::new(),
            leases: BTreeSet::new(),
            records: HashMap::new(),
            answered: Bounded::new(count, bytes),
            answers: Bounded::new(count, bytes),
            dead: Bounded::new(count, bytes),
            config,
        }
    }

    /// Lets go of what has had its time: leases, records. Call it before anything else.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some((until, number)) = self.leases.first().copied().filter(|(until, _)| *until <= now) {
            self.leases.remove(&(until, number));
            if let Some(job) = self.jobs.get_mut(&number) {
                job.lease = None;
                self.waiting.insert((Turn::Lost, number));
            }
        }
        let ttl = self.config.record_ttl;
        while let Some((_, id)) = self.answered.pop_oldest_if(|(since, _)| now.duration_since(*since) >= ttl) {
            self.records.remove(&id);
        }
    }

    pub(crate) fn push(&mut self, job: Job) -> Result<()> {
        let fail = |kind, why: String| Err(Error::new(kind, format!("queue request {:?}: {why}", job.request_id)));
        let (size, config) = (job.payload.len(), &self.config);
        if self.records.contains_key(&job.request_id) {
            return Ok(());
        }
        if size > config.max_payload_bytes {
            let why = format!("it has {size} bytes, and {} are allowed", config.max_payload_bytes);
            return fail(ErrorKind::TooLarge, why);
        }
        if self.jobs.len() >= config.max_jobs || self.job_bytes + size > config.max_job_bytes {
            return fail(
                ErrorKind::RateLimited,
                format!("the queue is full with {} jobs; try again later", self.jobs.len()),
            );
        }
        let number = self.number();
        let record = Record::new(number, job.payload.clone(), RequestState::Queued);
        self.records.insert(job.request_id.clone(), record);
        self.job_bytes += size;
        self.waiting.insert((Turn::Ranked(std::cmp::Reverse(job.priority)), number));
        let Job { request_id, payload, priority } = job;
        self.jobs.insert(number, Held { request_id, payload, priority, deliveries: 0, lease: None });
        Ok(())
    }

    pub(crate) fn claim(&mut self, max: usize, now: Instant) -> Vec<Claim> {
        let mut claims = Vec::new();
        while claims.len() < max
            && let Some((_, number)) = self.waiting.pop_first()
        {
            let token = self.number().to_string();
            let until = now + self.config.lease;
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            job.deliveries = job.deliveries.saturating_add(1);
            job.lease = Some(Lease { token: token.clone(), until });
            self.leases.insert((until, number));
            claims.push(Claim {
                id: format!("{number}.{token}"),
                payload: job.payload.clone(),
                deliveries: job.deliveries,
                priority: Some(job.priority),
                reply_to: None,
                token,
            });
        }
        claims
    }

    /// When the next lease ends, unless it is renewed.
    pub(crate) fn next_lease_end(&self) -> Option<Instant> {
        self.leases.first().map(|(until, _)| *until)
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn begin(&mut self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let number = self.held(claim)?;
        let payload = claim.payload.clone();
        let record = self
            .records
            .entry(request.request_id.clone())
            .or_insert_with(|| Record::new(number, payload, RequestState::Queued));
        if record.job != number {
            self.end_duplicate(number, request);
            return Ok(Begun::Duplicate);
        }
        let begun = match &record.begun {
            None => Begun::First,
            Some((token, begun)) if *token == claim.token => *begun,
            Some(_) => Begun::Again,
        };
        record.begun = Some((claim.token.clone(), begun));
        record.state = RequestState::Processing;
        record.reply_to.clone_from(&request.reply_to);
        Ok(begun)
    }

    pub(crate) fn renew(&mut self, claims: &[Claim], now: Instant) -> Vec<String> {
        let until = now + self.config.lease;
        let mut lost = Vec::new();
        for claim in claims {
            let Ok(number) = self.held(claim) else {
                lost.push(claim.id.clone());
                continue;
            };
            if let Some(lease) = self.jobs.get_mut(&number).and_then(|job| job.lease.as_mut()) {
                self.leases.remove(&(lease.until, number));
                lease.until = until;
                self.leases.insert((until, number));
            }
        }
        lost
    }

    pub(crate) fn settle(&mut self, claim: &Claim, settlement: Settlement, now: Instant) -> Result<()> {
        let number = self.held(claim)?;
        match settlement {
            Settlement::Released => self.release(number),
            Settlement::Answered(answer) => {
                self.remove(number);
                self.answer(number, answer, claim, now);
            }
            Settlement::Dead { reason, answer } => {
                self.remove(number);
                let size = claim.payload.len() + reason.len();
                self.dead.push(DeadLetter { payload: claim.payload.clone(), reason }, size);
                if let Some(answer) = answer {
                    self.answer(number, answer, claim, now);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn request(&self, request_id: &str) -> Option<RequestRecord> {
        let record = self.records.get(request_id)?;
        let (request, response) = (Some(record.request.clone()), record.response.clone());
        Some(RequestRecord { request, state: record.state, response })
    }

    pub(crate) fn depth(&self) -> QueueDepth {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        QueueDepth {
            waiting: count(self.waiting.len()),
            claimed: count(self.leases.len()),
            dead: count(self.dead.len()),
        }
    }

    pub(crate) fn take_answers(&mut self, list: Option<&str>) -> Vec<Bytes> {
        let taken = self.answers.take(|(name, _)| name.as_deref() == list);
        taken.into_iter().map(|(_, response)| response).collect()
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead.iter().cloned().collect()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The job that a claim holds.
    fn held(&self, claim: &Claim) -> Result<JobNumber> {
        let number = claim.id.split('.').next().and_then(|number| number.parse().ok());
        let job = number.and_then(|number| Some((number, self.jobs.get(&number)?)));
        match job {
            Some((number, Held { lease: Some(lease), .. })) if lease.token == claim.token => Ok(number),
            _ => Err(Error::new(ErrorKind::Conflict, format!("the claim {} of a job is over", claim.id))),
        }
    }

    fn remove(&mut self, number: JobNumber) {
        let Some(job) = self.jobs.remove(&number) else { return };
        self.job_bytes -= job.payload.len();
        if let Some(lease) = job.lease {
            self.leases.remove(&(lease.until, number));
        }
        // A job that ends without having begun as what it was pushed as leaves nothing behind.
        if self.records.get(&job.request_id).is_some_and(|record| record.job == number && record.begun.is_none()) {
            self.records.remove(&job.request_id);
        }
    }

    fn release(&mut self, number: JobNumber) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        if let Some(lease) = job.lease.take() {
            self.leases.remove(&(lease.until, number));
        }
        // It is older than all others of its priority, so it is the next one.
        self.waiting.insert((Turn::Ranked(std::cmp::Reverse(job.priority)), number));
    }

    fn end_duplicate(&mut self, number: JobNumber, request: &QueuedRequest) {
        self.remove(number);
        let Some(record) = self.records.get_mut(&request.request_id) else { return };
        if record.reply_to == request.reply_to && record.begun.is_some() || record.copies.contains(&request.reply_to) {
            return;
        }
        match record.response.clone() {
            Some(response) => self.hand_over(request.reply_to.clone(), response),
            None if record.copies.len() < MAX_COPIES => record.copies.push(request.reply_to.clone()),
            None => {}
        }
    }

    fn answer(&mut self, number: JobNumber, answer: JobAnswer, claim: &Claim, now: Instant) {
        let JobAnswer { request, completed, response, .. } = answer;
        self.hand_over(request.reply_to.clone(), response.clone());
        let record = self
            .records
            .entry(request.request_id.clone())
            .or_insert_with(|| Record::new(number, claim.payload.clone(), RequestState::Queued));
        if record.job != number {
            return;
        }
        record.state = if completed { RequestState::Completed } else { RequestState::Failed };
        record.response = Some(response.clone());
        record.reply_to.clone_from(&request.reply_to);
        let size = RECORD_OVERHEAD + request.request_id.len() * 2 + record.request.len() + response.len();
        for list in std::mem::take(&mut record.copies) {
            if list != request.reply_to {
                self.hand_over(list, response.clone());
            }
        }
        for (_, forgotten) in self.answered.push((now, request.request_id), size) {
            self.records.remove(&forgotten);
        }
    }

    fn hand_over(&mut self, list: Option<String>, response: Bytes) {
        let size = RECORD_OVERHEAD + response.len();
        self.answers.push((list, response), size);
    }
}

impl Record {
    fn new(job: JobNumber, request: Bytes, state: RequestState) -> Self {
        Self { job, request, state, response: None, begun: None, reply_to: None, copies: Vec::new() }
    }
}
