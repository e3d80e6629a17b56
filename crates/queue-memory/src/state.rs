//! What a queue holds, and how it changes. Nothing here waits.

use std::collections::HashMap;

use bytes::Bytes;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, JobAnswer, QueueDepth, QueuedRequest, RequestRecord, RequestState, Result,
    Settlement,
};
use tokio::time::Instant;

use crate::bounded::Bounded;
use crate::jobs::{JobNumber, Jobs};
use crate::{DeadLetter, MemoryQueueConfig};

/// Lists, besides that of the request itself, in which one answer is wanted, at most.
const MAX_COPIES: usize = 100;

/// What a record costs beside its bytes.
const RECORD_OVERHEAD: usize = 256;

#[derive(Debug)]
pub(crate) struct State {
    config: MemoryQueueConfig,
    jobs: Jobs,
    records: HashMap<String, Record>,
    /// Which records are of answered requests, and since when.
    answered: Bounded<(Instant, String)>,
    answers: Bounded<(Option<String>, Bytes)>,
    dead: Bounded<DeadLetter>,
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
            jobs: Jobs::default(),
            records: HashMap::new(),
            answered: Bounded::new(count, bytes),
            answers: Bounded::new(count, bytes),
            dead: Bounded::new(count, bytes),
            config,
        }
    }

    /// Lets go of what has had its time: leases, records. Call it before anything else.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.jobs.expire(now);
        let ttl = self.config.record_ttl;
        while let Some((_, id)) = self.answered.pop_oldest_if(|(since, _)| now.duration_since(*since) >= ttl) {
            self.records.remove(&id);
        }
    }

    pub(crate) fn push(&mut self, job: Job) -> Result<()> {
        let fail = |kind, why: String| Err(Error::new(kind, format!("queue request {:?}: {why}", job.request_id)));
        let (size, jobs, config) = (job.payload.len(), &self.jobs, &self.config);
        if self.records.contains_key(&job.request_id) {
            return Ok(());
        }
        if size > config.max_payload_bytes {
            let why = format!("it has {size} bytes, and {} are allowed", config.max_payload_bytes);
            return fail(ErrorKind::TooLarge, why);
        }
        if jobs.len() >= config.max_jobs || jobs.bytes() + size > config.max_job_bytes {
            let why = format!("the queue is full with {} jobs; try again later", jobs.len());
            return fail(ErrorKind::RateLimited, why);
        }
        let (request_id, payload) = (job.request_id.clone(), job.payload.clone());
        let number = self.jobs.push(job);
        self.records.insert(request_id, Record::new(number, payload));
        Ok(())
    }

    pub(crate) fn claim(&mut self, max: usize, now: Instant) -> Vec<Claim> {
        let until = now + self.config.lease;
        std::iter::from_fn(|| self.jobs.claim(until)).take(max).collect()
    }

    /// When the next lease ends, unless it is renewed.
    pub(crate) fn next_lease_end(&self) -> Option<Instant> {
        self.jobs.next_lease_end()
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.jobs.waiting() > 0
    }

    pub(crate) fn begin(&mut self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let number = self.jobs.held(claim)?;
        let jobs = &self.jobs;
        let record =
            self.records.entry(request.request_id.clone()).or_insert_with(|| Record::new(number, jobs.payload(number)));
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
            match self.jobs.held(claim) {
                Ok(number) => self.jobs.extend(number, until),
                Err(_) => lost.push(claim.id.clone()),
            }
        }
        lost
    }

    pub(crate) fn settle(&mut self, claim: &Claim, settlement: Settlement, now: Instant) -> Result<()> {
        let number = self.jobs.held(claim)?;
        match settlement {
            Settlement::Released => {
                self.unbegin(number, claim);
                self.jobs.release(number);
            }
            Settlement::Answered(answer) => {
                self.remove(number);
                self.answer(number, answer, claim, now);
            }
            Settlement::Dead { reason, answer } => {
                self.remove(number);
                let size = claim.payload.len() + reason.len();
                self.dead.push(DeadLetter { payload: claim.payload.clone(), reason }, size);
                match answer {
                    Some(answer) => self.answer(number, answer, claim, now),
                    // Nobody will ever say more of what it may have begun as.
                    None => self.records.retain(|_, record| record.job != number || record.response.is_some()),
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
            waiting: count(self.jobs.waiting()),
            claimed: count(self.jobs.claimed()),
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

    fn remove(&mut self, number: JobNumber) {
        let Some(job) = self.jobs.remove(number) else { return };
        // A job that ends without having begun as what it was pushed as leaves nothing behind.
        if self.records.get(&job.request_id).is_some_and(|record| record.job == number && record.begun.is_none()) {
            self.records.remove(&job.request_id);
        }
    }

    /// Takes back what a claim has begun that says that nothing has been done.
    fn unbegin(&mut self, number: JobNumber, claim: &Claim) {
        let mine = |record: &&mut Record| {
            record.job == number && record.begun.as_ref().is_some_and(|(token, _)| *token == claim.token)
        };
        if let Some(record) = self.records.values_mut().find(mine) {
            record.state = RequestState::Queued;
            // What a lost claim had begun before stays so: the next one has another token.
            record.begun.take_if(|(_, begun)| *begun == Begun::First);
        }
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
            .or_insert_with(|| Record::new(number, claim.payload.clone()));
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
    fn new(job: JobNumber, request: Bytes) -> Self {
        Self {
            job,
            request,
            state: RequestState::Queued,
            response: None,
            begun: None,
            reply_to: None,
            copies: Vec::new(),
        }
    }
}
