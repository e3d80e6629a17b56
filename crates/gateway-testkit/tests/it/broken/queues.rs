//! Queues with one fault each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, JobAnswer, Priority, Queue, QueueDepth, QueuedRequest, RequestRecord,
    RequestState, Result, Settlement,
};
use gateway_testkit::suites::{self, Broker, DeadLetter, QueueCase};
use queue_memory::{MemoryQueue, MemoryQueueConfig};
use tokio::time::{Instant, sleep};

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    IgnoresPriorities,
    FavoursSome,
    ForgetsLostJobs,
    LendsToEverybody,
    TakesTooMany,
    WaitsForAll,
    WaitsOnAnyway,
    SleepsLong,
    ReadsUtf8,
    NumbersJobsNotClaims,
    RenewsNothing,
    RenewsSilently,
    TakesEveryPush,
    BeginsFirstAlways,
    BeginsAgainAlways,
    ForgetsWhatItSaid,
    BeginsLostClaims,
    SeesDuplicatesInLostJobs,
    SettlesAnything,
    TakesLateAnswers,
    KnowsOneListOnly,
    AnswersTwice,
    DropsCopies,
    DropsDeadLetters,
    DropsReasons,
    TellsNobodyOfDeath,
    KeepsReleased,
    KnowsNoRequests,
    KnowsQueuedOnly,
    CallsAllCompleted,
    CountsNothing,
}

const LEASE: Duration = Duration::from_millis(500);

/// What [`Fault::LendsToEverybody`] and such know of a lease.
fn true_lease(fault: Fault) -> Duration {
    match fault {
        Fault::ForgetsLostJobs => Duration::from_secs(3600),
        Fault::LendsToEverybody => Duration::from_millis(1),
        _ => LEASE,
    }
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    queue: MemoryQueue,
    count: AtomicU64,
}

impl Broken {
    fn count(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn garbled(&self, bytes: &Bytes) -> Bytes {
        if self.fault == Fault::ReadsUtf8 {
            return String::from_utf8_lossy(bytes).into_owned().into();
        }
        bytes.clone()
    }

    fn lists(&self, request: &QueuedRequest) -> QueuedRequest {
        let reply_to = request.reply_to.clone().filter(|_| self.fault != Fault::KnowsOneListOnly);
        QueuedRequest { reply_to, ..request.clone() }
    }
}

#[async_trait]
impl Queue for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn push(&self, mut job: Job) -> Result<()> {
        match self.fault {
            Fault::IgnoresPriorities => job.priority = Priority::Normal,
            Fault::FavoursSome if self.count() % 2 == 1 => job.priority = Priority::Urgent,
            Fault::TakesEveryPush => job.request_id = format!("{}-{}", job.request_id, self.count()),
            _ => {}
        }
        self.queue.push(job).await
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        let deadline = Instant::now() + wait;
        let mut claims = match self.fault {
            Fault::TakesTooMany => self.queue.claim(max * 2, wait).await?,
            Fault::WaitsForAll => {
                let mut claims = Vec::new();
                while claims.len() < max && Instant::now() < deadline {
                    let left = deadline.saturating_duration_since(Instant::now());
                    claims.extend(self.queue.claim(max - claims.len(), left).await?);
                }
                claims
            }
            Fault::WaitsOnAnyway => self.queue.claim(max, Duration::from_secs(60)).await?,
            Fault::SleepsLong => loop {
                let claims = self.queue.claim(max, Duration::ZERO).await?;
                if !claims.is_empty() || Instant::now() >= deadline {
                    break claims;
                }
                sleep(Duration::from_secs(3).min(wait)).await;
            },
            _ => self.queue.claim(max, wait).await?,
        };
        if self.fault == Fault::ForgetsLostJobs {
            // A place where a dropped future has claimed.
            tokio::task::yield_now().await;
            sleep(Duration::from_millis(2)).await;
        }
        for claim in &mut claims {
            claim.payload = self.garbled(&claim.payload);
            if self.fault == Fault::NumbersJobsNotClaims {
                claim.id.truncate(claim.id.find('.').unwrap_or(claim.id.len()));
            }
        }
        Ok(claims)
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let begun = self.queue.begin(claim, &self.lists(request)).await;
        match (self.fault, begun) {
            (Fault::BeginsFirstAlways, Ok(_)) => Ok(Begun::First),
            (Fault::BeginsAgainAlways, Ok(_)) if claim.deliveries > 1 => Ok(Begun::Again),
            (Fault::ForgetsWhatItSaid, Ok(Begun::First)) if self.count() > 0 => Ok(Begun::Again),
            (Fault::BeginsLostClaims, Err(_)) => Ok(Begun::First),
            (Fault::SeesDuplicatesInLostJobs, Ok(Begun::Again)) => Ok(Begun::Duplicate),
            (_, begun) => begun,
        }
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        match self.fault {
            Fault::RenewsNothing => Ok(Vec::new()),
            Fault::RenewsSilently => self.queue.renew(claims).await.map(|_| Vec::new()),
            _ => self.queue.renew(claims).await,
        }
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        let settlement = match settlement {
            Settlement::Released if self.fault == Fault::KeepsReleased => return Ok(()),
            Settlement::Dead { reason, .. } if self.fault == Fault::TellsNobodyOfDeath => {
                Settlement::Dead { reason, answer: None }
            }
            Settlement::Dead { answer, .. } if self.fault == Fault::DropsReasons => {
                Settlement::Dead { reason: String::new(), answer }
            }
            Settlement::Answered(answer) => Settlement::Answered(JobAnswer {
                request: self.lists(&answer.request),
                completed: answer.completed || self.fault == Fault::CallsAllCompleted,
                response: self.garbled(&answer.response),
                ..answer
            }),
            settlement => settlement,
        };
        match (self.fault, self.queue.settle(claim, settlement.clone()).await) {
            (Fault::SettlesAnything, Err(_)) => Ok(()),
            (Fault::TakesLateAnswers, Err(_)) if matches!(settlement, Settlement::Answered(_)) => {
                // As if it stood where the answers are.
                let job = Job {
                    request_id: format!("late-{}", self.count()),
                    payload: claim.payload.clone(),
                    priority: Priority::Urgent,
                };
                self.queue.push(job).await?;
                let again = self.queue.claim(1, Duration::ZERO).await?.pop();
                let again = again.ok_or_else(|| Error::new(ErrorKind::Internal, "nothing is there"))?;
                self.queue.settle(&again, settlement).await?;
                Err(Error::new(ErrorKind::Conflict, "late"))
            }
            (_, settled) => settled,
        }
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        let record = self.queue.request(request_id).await?;
        Ok(match self.fault {
            Fault::KnowsNoRequests => None,
            Fault::KnowsQueuedOnly => record.map(|record| RequestRecord { state: RequestState::Queued, ..record }),
            _ => record,
        })
    }

    async fn depth(&self) -> Result<QueueDepth> {
        match self.fault {
            Fault::CountsNothing => Ok(QueueDepth::default()),
            _ => self.queue.depth().await,
        }
    }
}

struct BrokenBroker(Arc<Broken>);

#[async_trait]
impl Broker for BrokenBroker {
    async fn produce(&self, payload: Bytes, priority: Priority) -> Result<(), String> {
        let job = Job { request_id: format!("inside-{}", self.0.count()), payload, priority };
        self.0.queue.push(job).await.map_err(|error| error.to_string())
    }

    async fn reply_list(&self) -> Result<String, String> {
        Ok(format!("list-{}", self.0.count()))
    }

    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String> {
        let mut answers = self.0.queue.take_answers(list);
        match self.0.fault {
            Fault::AnswersTwice => answers.extend(answers.clone()),
            Fault::DropsCopies if list.is_some() => answers.clear(),
            _ => {}
        }
        Ok(answers)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String> {
        if self.0.fault == Fault::DropsDeadLetters {
            return Ok(Vec::new());
        }
        let letters = self.0.queue.dead_letters().into_iter();
        Ok(letters.map(|letter| DeadLetter { payload: letter.payload, reason: letter.reason }).collect())
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn keeps_priorities(&self) -> bool {
        true
    }
}

fn table() -> [(Fault, &'static [&'static str]); 31] {
    [
        (Fault::IgnoresPriorities, &["a_higher_priority_goes_first"]),
        (Fault::FavoursSome, &["jobs_are_claimed_in_the_order_in_which_they_came"]),
        (
            Fault::ForgetsLostJobs,
            &["a_job_whose_lease_ends_is_claimed_again_before_others", "a_dropped_claim_loses_nothing"],
        ),
        (Fault::LendsToEverybody, &["a_claimed_job_is_nobody_elses"]),
        (Fault::TakesTooMany, &["a_claim_takes_no_more_than_was_asked_for"]),
        (Fault::WaitsForAll, &["a_claim_does_not_wait_for_more_than_one"]),
        (Fault::WaitsOnAnyway, &["a_claim_of_an_empty_queue_ends_after_its_time"]),
        (Fault::SleepsLong, &["a_waiting_claim_wakes_when_a_job_comes"]),
        (Fault::ReadsUtf8, &["payloads_are_opaque", "answers_are_opaque"]),
        (Fault::NumbersJobsNotClaims, &["each_claim_of_a_job_is_another_one", "a_released_claim_is_over"]),
        (Fault::RenewsNothing, &["a_renewed_lease_lasts"]),
        (Fault::RenewsSilently, &["renew_names_the_lost"]),
        (Fault::TakesEveryPush, &["a_push_repeated_is_one_job", "a_push_of_an_answered_request_is_dropped"]),
        (
            Fault::BeginsFirstAlways,
            &["what_a_lost_claim_had_begun_is_begun_again", "a_second_job_with_one_request_id_is_a_duplicate"],
        ),
        (Fault::BeginsAgainAlways, &["what_a_lost_claim_had_not_begun_begins_first"]),
        (Fault::ForgetsWhatItSaid, &["begin_repeated_says_the_same"]),
        (Fault::BeginsLostClaims, &["a_lost_claim_cannot_begin", "a_released_claim_is_over"]),
        (Fault::SeesDuplicatesInLostJobs, &["what_a_lost_claim_had_begun_is_begun_again"]),
        (
            Fault::SettlesAnything,
            &[
                "a_second_settlement_is_refused",
                "a_duplicate_is_gone",
                "a_lost_claim_cannot_answer",
                "a_lost_claim_can_neither_bury_nor_release",
                "a_lost_claim_cannot_answer_once_another_has",
            ],
        ),
        (Fault::TakesLateAnswers, &["a_lost_claim_cannot_answer", "a_lost_claim_cannot_answer_once_another_has"]),
        (Fault::KnowsOneListOnly, &["an_answer_goes_where_it_is_wanted"]),
        (Fault::AnswersTwice, &["an_answer_is_handed_over_and_ends_the_job"]),
        (
            Fault::DropsCopies,
            &[
                "a_duplicate_gets_the_answer_in_its_own_list",
                "a_duplicate_of_an_answered_request_gets_the_answer_at_once",
                "a_job_between_two_claims_has_duplicates_too",
            ],
        ),
        (Fault::DropsDeadLetters, &["a_dead_letter_keeps_its_payload_and_reason"]),
        (Fault::DropsReasons, &["a_dead_letter_keeps_its_payload_and_reason"]),
        (Fault::TellsNobodyOfDeath, &["a_dead_letter_may_be_answered"]),
        (Fault::KeepsReleased, &["a_released_job_is_the_next_one", "a_released_claim_is_over"]),
        (
            Fault::KnowsNoRequests,
            &["a_request_is_known_from_push_to_answer", "a_request_of_another_program_is_known_when_it_begins"],
        ),
        (Fault::KnowsQueuedOnly, &["both_ends_know_the_same_requests"]),
        (Fault::CallsAllCompleted, &["a_failed_request_says_so"]),
        (Fault::CountsNothing, &["the_depth_counts_what_waits_is_claimed_and_is_dead"]),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_caught() {
    for (fault, broken) in table() {
        let make = move || async move {
            let config = MemoryQueueConfig { lease: true_lease(fault), ..MemoryQueueConfig::default() };
            let broken = Arc::new(Broken { fault, queue: MemoryQueue::new(config), count: AtomicU64::new(0) });
            QueueCase { one: broken.clone(), two: broken.clone(), broker: Arc::new(BrokenBroker(broken)) }
        };
        check(&format!("{fault:?}"), suites::queue(make), broken).await;
    }
}
