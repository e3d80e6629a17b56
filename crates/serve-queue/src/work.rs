//! What is done with one job.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use answer_json::{CallBody, SearchBody};
use futures_util::FutureExt as _;
use gateway_core::{
    Admission, Begun, Context, Error, ErrorKind, JobAnswer, QueuedRequest, RawJson, Result, Settlement, ToolCall,
    TraceContext,
};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::door::Core;
use crate::envelope::{Action, Envelope, Reading};
use crate::held::Hold;
use crate::patience::{Backoff, passes};
use crate::response::{self, Reply};
use crate::spans;

/// A job in the door's hands.
#[derive(Debug)]
pub(crate) struct Taken {
    pub hold: Hold,
    pub reading: Reading,
    /// Its room among all that are taken, until it is dropped.
    pub _room: OwnedSemaphorePermit,
}

/// What the payload asks of the engine.
enum Wanted {
    Search(gateway_core::SearchRequest),
    Call(ToolCall, Option<Duration>),
}

impl Core {
    /// Does a job to its end.
    pub(crate) async fn run(&self, job: Taken) {
        let lost = job.hold.lost.clone();
        let settlement = tokio::select! {
            biased;
            () = lost.cancelled() => {
                self.counters.lost_leases.add(1);
                tracing::warn!("the lease of a job was lost; it is somebody else's now");
                None
            }
            settlement = self.do_job(&job) => settlement,
        };
        if let Some(settlement) = settlement {
            self.settle(&job, settlement).await;
        }
    }

    /// What the job's claim ends with; `None` where it is over already.
    async fn do_job(&self, job: &Taken) -> Option<Settlement> {
        match &job.reading {
            Reading::Unreadable { reason } => Some(Settlement::Dead { reason: reason.clone(), answer: None }),
            Reading::Refused { request, error } => {
                self.begin(job, request).await?;
                let answer = Some(response::failed(request, None, error));
                Some(Settlement::Dead { reason: error.message().to_owned(), answer })
            }
            Reading::Job(envelope) => {
                let begun = self.begin(job, &envelope.request).await?;
                // One that has never begun was only in the hands of gateways that another job has ended.
                if begun == Begun::Again && job.hold.claim.deliveries > self.config.max_deliveries {
                    return Some(self.bury(job, envelope));
                }
                let span = spans::begin(&self.gateway, self.queue.name(), envelope);
                let trace = span.as_ref().and_then(|span| span.context()).or(envelope.trace.as_ref()).cloned();
                // A panic is this job's alone.
                let answer = AssertUnwindSafe(self.answer(&job.hold, envelope, begun, trace)).catch_unwind().await;
                let answer = answer.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the job broke off")));
                spans::end(span, &answer);
                Some(Settlement::Answered(answer.unwrap_or_else(|error| self.failure(envelope, &error))))
            }
        }
    }

    /// Begins a job's work; `None` where there is nothing to be done.
    async fn begin(&self, job: &Taken, request: &QueuedRequest) -> Option<Begun> {
        let mut backoff = Backoff::default();
        loop {
            match self.queue.begin(&job.hold.claim, request).await {
                Ok(Begun::Duplicate) => {
                    self.counters.duplicates.add(1);
                    tracing::debug!("the request is under way or answered already");
                    return None;
                }
                Ok(begun) => return Some(begun),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.counters.lost_leases.add(1);
                    return None;
                }
                Err(error) if passes(&error) => {
                    self.outage.failed(self.queue.name(), &error);
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(error) => {
                    tracing::error!(?error, "cannot begin a job; it will be claimed again");
                    return None;
                }
            }
        }
    }

    /// Runs the job's search or call, and writes its answer.
    async fn answer(
        &self,
        hold: &Hold,
        envelope: &Envelope,
        begun: Begun,
        trace: Option<TraceContext>,
    ) -> Result<JobAnswer> {
        let wanted = self.read_payload(envelope)?;
        let left = envelope.deadline.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
        let own = if let Wanted::Call(_, timeout) = &wanted { *timeout } else { None };
        let admitted = self.admit(envelope, left.into_iter().chain(own).min(), trace).await;
        if let (Begun::Again, Wanted::Call(call, _)) = (begun, &wanted)
            && !self.may_run_again(envelope, admitted.as_ref().ok(), call)
        {
            self.counters.unknown_outcomes.add(1);
            return Err(unknown_outcome());
        }
        let context = admitted?;
        if left == Some(Duration::ZERO) {
            return Err(Error::new(ErrorKind::DeadlineExceeded, "the deadline had passed before the job began"));
        }
        // Last of all, right before the call goes out.
        self.make_sure(hold).await;
        let reply = match wanted {
            Wanted::Search(request) => Reply::Search(self.gateway.search(&context, request).await?),
            Wanted::Call(call, _) => Reply::Call(self.gateway.call(&context, call).await?),
        };
        response::completed(&envelope.request, context.session_id(), &reply)
    }

    fn read_payload(&self, envelope: &Envelope) -> Result<Wanted> {
        fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T> {
            serde_json::from_slice(text).map_err(|error| {
                Error::new(ErrorKind::InvalidRequest, format!("payload is not what this action takes: {error}"))
            })
        }
        let text = envelope.payload()?;
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::new(ErrorKind::InvalidRequest, "payload must be an object, or its JSON text"));
        }
        match envelope.action {
            Action::Search => Ok(Wanted::Search(parse::<SearchBody>(&text)?.request()?)),
            Action::Call => {
                let (call, timeout) = parse::<CallBody<'_>>(&text)?.request(&text, self.config.max_timeout_ms)?;
                Ok(Wanted::Call(call, timeout))
            }
        }
    }

    async fn admit(
        &self,
        envelope: &Envelope,
        timeout: Option<Duration>,
        trace: Option<TraceContext>,
    ) -> Result<Context> {
        let is_id = |id: &String| {
            let may_be = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            (1..=128).contains(&id.len()) && id.bytes().all(may_be)
        };
        if envelope.session_id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(Error::new(ErrorKind::NotFound, "there is no session with the id in session_id"));
        }
        let admission = Admission {
            request_id: envelope.request.request_id.clone(),
            credentials: self.config.credentials.clone(),
            session_id: envelope.session_id.clone(),
            timeout,
            listener: None,
            door: "queue",
            trace,
        };
        let context = self.gateway.admit(admission).await?;
        // Who queues a request must not have another one's rights by it.
        if envelope.caller.as_ref().is_some_and(|caller| *caller != context.principal().id) {
            return Err(Error::new(ErrorKind::Forbidden, "jobs of this queue run with another caller's rights"));
        }
        Ok(context)
    }

    /// Whether a call that may have run may run again: the job says so, or else the tool. A tool that cannot be
    /// found says nothing.
    fn may_run_again(&self, envelope: &Envelope, context: Option<&Context>, call: &ToolCall) -> bool {
        if let Some(idempotent) = envelope.idempotent {
            return idempotent;
        }
        let Some(context) = context else { return false };
        let Some(server) = &call.server else {
            return self.gateway.tool(context, &call.name).is_some_and(|entry| entry.tool.is_idempotent());
        };
        self.gateway.tools(context).iter().any(|entry| {
            let is_there = *entry.server == **server || entry.server_uuid.to_string() == server.to_ascii_lowercase();
            let is_named = entry.tool.name() == call.name || *entry.qualified_name == *call.name;
            is_there && is_named && entry.tool.is_idempotent()
        })
    }

    /// The settlement of a job that nobody who took it has answered.
    fn bury(&self, job: &Taken, envelope: &Envelope) -> Settlement {
        let times = job.hold.claim.deliveries - 1;
        let reason = format!("given up: it was taken {times} times, and never answered");
        let error = match envelope.action {
            Action::Search => Error::new(ErrorKind::Internal, reason.clone()),
            Action::Call => {
                self.counters.unknown_outcomes.add(1);
                let message = format!("{reason}; whether the tool has run is unknown");
                Error::new(ErrorKind::UpstreamFailed, message).with_details(outcome_unknown())
            }
        };
        Settlement::Dead { reason, answer: Some(self.failure(envelope, &error)) }
    }

    fn failure(&self, envelope: &Envelope, error: &Error) -> JobAnswer {
        match error.kind() {
            ErrorKind::Internal => tracing::error!(?error, "a job failed"),
            ErrorKind::UpstreamFailed | ErrorKind::UpstreamTimeout | ErrorKind::Unavailable => {
                tracing::warn!(?error, "a job failed");
            }
            _ => tracing::debug!(?error, "a job failed"),
        }
        response::failed(&envelope.request, envelope.session_id.as_deref(), error)
    }

    /// Settles until it is done: an answer is kept until it is taken, or somebody else has the job.
    async fn settle(&self, job: &Taken, mut settlement: Settlement) {
        let mut backoff = Backoff::default();
        let mut is_repeated = false;
        loop {
            match self.queue.settle(&job.hold.claim, settlement.clone()).await {
                Ok(()) => return self.count(&settlement),
                // The first attempt may have come through.
                Err(error) if error.kind() == ErrorKind::Conflict && is_repeated => {
                    tracing::debug!("a job was settled, or lost, while the queue was away");
                    return self.count(&settlement);
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.counters.lost_leases.add(1);
                    tracing::warn!("the lease of a job was lost before its answer was taken");
                    return;
                }
                Err(error) if passes(&error) => {
                    self.outage.failed(self.queue.name(), &error);
                    is_repeated = true;
                    tokio::time::sleep(backoff.pause()).await;
                }
                Err(error) => match too_large(&error, &settlement) {
                    Some(smaller) => settlement = smaller,
                    None => {
                        tracing::error!(?error, "cannot settle a job; it will be claimed again");
                        return;
                    }
                },
            }
        }
    }

    fn count(&self, settlement: &Settlement) {
        let answer = match settlement {
            Settlement::Answered(answer) => Some(answer),
            Settlement::Dead { reason, answer } => {
                self.counters.dead.add(1);
                tracing::warn!(reason, "a job is a dead letter");
                answer.as_ref()
            }
            Settlement::Released => {
                self.counters.released.add(1);
                None
            }
        };
        if let Some(answer) = answer {
            self.counters.answered.add(1);
            self.counters.failed.add(usize::from(!answer.completed));
        }
    }
}

/// What is said instead of an answer that the queue does not take.
fn too_large(error: &Error, settlement: &Settlement) -> Option<Settlement> {
    match settlement {
        Settlement::Answered(answer) if error.kind() == ErrorKind::TooLarge && answer.completed => {
            let message = format!("the answer is too large for the queue: {}", error.message());
            let answer = response::failed(&answer.request, None, &Error::new(ErrorKind::TooLarge, message));
            Some(Settlement::Answered(answer))
        }
        _ => None,
    }
}

fn unknown_outcome() -> Error {
    let message = "whether the tool has run is unknown: the gateway that had begun the call ended before it answered, and \
                   the tool does not say that running it twice does no harm";
    Error::new(ErrorKind::UpstreamFailed, message).with_details(outcome_unknown())
}

fn outcome_unknown() -> RawJson {
    RawJson::assembled(br#"{"outcome":"unknown"}"#.to_vec())
}
