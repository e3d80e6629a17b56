//! The suite, and what it takes to run it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Begun, Claim, Error, ErrorKind, Job, JobAnswer, Priority, Queue, QueuedRequest, Settlement};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{beginning, claiming, settling, telling};
use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// How long something may take that has no reason to take any time.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// How long a claim waits where nothing may come.
const A_WHILE: Duration = Duration::from_millis(150);

/// A queue of its own, empty, as two programs see it.
///
/// Choose a short lease, or the suite takes long: between half a second and two, since everything that a behaviour does with
/// a claim must fit into it on a busy machine.
pub struct QueueCase {
    /// One gateway's end of it.
    pub one: Arc<dyn Queue>,
    /// The end of another gateway: another process would have this one.
    pub two: Arc<dyn Queue>,
    /// What others see of it.
    pub broker: Arc<dyn Broker>,
}

/// What a program sees of a queue that knows only the broker: producers, requesters, operators.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Adds a job in the way of a program that has never heard of [`Queue`], into the list of `priority` where there are
    /// several. Nobody knows its request id but who reads the payload.
    ///
    /// # Errors
    /// What went wrong.
    async fn produce(&self, payload: Bytes, priority: Priority) -> Result<(), String>;

    /// The name of a list for answers, a new one each time, from which [`answers`](Self::answers) can read from now on.
    ///
    /// # Errors
    /// What went wrong.
    async fn reply_list(&self) -> Result<String, String>;

    /// Takes all answers out of a list, the oldest first, without waiting for any. `None` is the broker's own list.
    ///
    /// # Errors
    /// What went wrong.
    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String>;

    /// All dead letters, the oldest first. They may stay there.
    ///
    /// # Errors
    /// What went wrong.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String>;

    /// Ends the leases of all that [`QueueCase::one`] holds, as if its process had been killed, and returns when
    /// [`QueueCase::two`] can claim the jobs. The suite goes on using `one` afterwards, to see that its claims are worth
    /// nothing. Waiting for the end of the lease is right where nothing ends it sooner.
    async fn lose(&self) {
        sleep(self.lease() + self.lease() / 10 + Duration::from_millis(20)).await;
    }

    /// What [`Queue::lease`] says.
    fn lease(&self) -> Duration;

    /// Whether jobs of a higher priority are claimed first; otherwise all must be claimed in the order in which they came.
    fn keeps_priorities(&self) -> bool;
}

/// A job that was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What the producer wrote.
    pub payload: Bytes,
    /// Why it is here.
    pub reason: String,
}

/// The behaviours of [`Queue`]. `make` opens a queue: an empty one of its own each time.
pub fn queue<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = QueueCase> + Send + 'static,
{
    suite!(
        "queue",
        make,
        [
            claiming::jobs_are_claimed_in_the_order_in_which_they_came,
            claiming::a_higher_priority_goes_first,
            claiming::a_job_of_another_program_is_claimed_like_any_other,
            claiming::a_claim_takes_no_more_than_was_asked_for,
            claiming::a_claim_does_not_wait_for_more_than_one,
            claiming::a_claim_of_an_empty_queue_ends_after_its_time,
            claiming::a_waiting_claim_wakes_when_a_job_comes,
            claiming::payloads_are_opaque,
            claiming::a_claimed_job_is_nobody_elses,
            claiming::of_many_claimers_each_job_has_one,
            claiming::a_dropped_claim_loses_nothing,
            claiming::a_job_whose_lease_ends_is_claimed_again_before_others,
            claiming::each_claim_of_a_job_is_another_one,
            claiming::a_renewed_lease_lasts,
            claiming::renew_names_the_lost,
            claiming::a_push_repeated_is_one_job,
            claiming::a_push_of_an_answered_request_is_dropped,
            beginning::the_first_begin_says_first,
            beginning::begin_repeated_says_the_same,
            beginning::what_a_lost_claim_had_begun_is_begun_again,
            beginning::what_a_lost_claim_had_not_begun_begins_first,
            beginning::a_lost_claim_cannot_begin,
            beginning::a_second_job_with_one_request_id_is_a_duplicate,
            beginning::a_duplicate_is_gone,
            beginning::a_duplicate_gets_the_answer_in_its_own_list,
            beginning::a_duplicate_of_an_answered_request_gets_the_answer_at_once,
            beginning::a_duplicate_in_the_same_list_gets_no_second_answer,
            beginning::a_job_between_two_claims_has_duplicates_too,
            settling::an_answer_is_handed_over_and_ends_the_job,
            settling::an_answer_goes_where_it_is_wanted,
            settling::answers_are_opaque,
            settling::a_second_settlement_is_refused,
            settling::a_lost_claim_cannot_answer,
            settling::a_lost_claim_can_neither_bury_nor_release,
            settling::a_lost_claim_cannot_answer_once_another_has,
            settling::a_dead_letter_keeps_its_payload_and_reason,
            settling::a_dead_letter_may_be_answered,
            settling::a_released_job_is_the_next_one,
            settling::what_was_begun_and_released_begins_as_it_was_before,
            settling::a_released_claim_is_over,
            telling::an_unknown_request_is_none,
            telling::a_request_is_known_from_push_to_answer,
            telling::a_failed_request_says_so,
            telling::a_request_of_another_program_is_known_when_it_begins,
            telling::both_ends_know_the_same_requests,
            telling::the_depth_counts_what_waits_is_claimed_and_is_dead,
        ]
    )
}

impl QueueCase {
    /// Pushes a job with a new request id, and returns that.
    pub(super) async fn push(&self, payload: &[u8]) -> Result<String, String> {
        let id = new_id();
        self.push_as(&id, payload, Priority::Normal).await?;
        Ok(id)
    }

    pub(super) async fn push_as(&self, id: &str, payload: &[u8], priority: Priority) -> Verdict {
        let job = Job { request_id: id.to_owned(), payload: Bytes::copy_from_slice(payload), priority };
        self.one.push(job).await.map_err(unexpected("push"))
    }

    pub(super) async fn produce(&self, payload: &[u8]) -> Verdict {
        self.broker.produce(Bytes::copy_from_slice(payload), Priority::Normal).await
    }

    /// Claims one job, which must be there, by `one` or `two`.
    pub(super) async fn claim(&self, queue: &Arc<dyn Queue>) -> Result<Claim, String> {
        let mut claims = queue.claim(1, SOON).await.map_err(unexpected("claim"))?;
        ensure_eq!(claims.len(), 1, "jobs claimed by claim(1) of a queue where one waits");
        claims.pop().ok_or_else(String::new)
    }

    /// Claims `count` jobs by `one`, in as many goes as it takes.
    pub(super) async fn claim_all(&self, count: usize) -> Result<Vec<Claim>, String> {
        let mut claims = Vec::new();
        let patience = Instant::now() + SOON;
        while claims.len() < count {
            ensure!(Instant::now() < patience, "only {} of {count} jobs came", claims.len());
            claims.extend(self.one.claim(count - claims.len(), SOON).await.map_err(unexpected("claim"))?);
        }
        ensure_eq!(claims.len(), count, "jobs claimed");
        Ok(claims)
    }

    /// Nobody can claim anything.
    pub(super) async fn nothing_is_there(&self, when: &str) -> Verdict {
        for queue in [&self.one, &self.two] {
            let claims = queue.claim(1, A_WHILE).await.map_err(unexpected("claim"))?;
            ensure_eq!(claims, [], "what can be claimed {when}");
        }
        Ok(())
    }

    /// The claim begins for the first time, its answer goes to the broker's own list. Returns the request.
    pub(super) async fn first(
        &self,
        queue: &Arc<dyn Queue>,
        claim: &Claim,
        id: &str,
        reply_to: Option<&str>,
    ) -> Result<QueuedRequest, String> {
        let request = request(id, reply_to);
        let begun = queue.begin(claim, &request).await.map_err(unexpected("begin"))?;
        ensure_eq!(begun, Begun::First, "begin of a new request");
        Ok(request)
    }

    /// A job of `id` that `one` has begun and lost.
    pub(super) async fn begun_and_lost(&self, payload: &[u8]) -> Result<(Claim, QueuedRequest), String> {
        let id = self.push(payload).await?;
        let claim = self.claim(&self.one).await?;
        let request = self.first(&self.one, &claim, &id, None).await?;
        self.broker.lose().await;
        Ok((claim, request))
    }

    /// The answers in a list are these; waits for them, and sees that there are no more.
    pub(super) async fn answers_are(&self, list: Option<&str>, expected: &[&[u8]]) -> Verdict {
        let mut seen = Vec::new();
        let patience = Instant::now() + SOON;
        while seen.len() < expected.len() && Instant::now() < patience {
            seen.extend(self.broker.answers(list).await?);
            if seen.len() < expected.len() {
                sleep(Duration::from_millis(10)).await;
            }
        }
        sleep(Duration::from_millis(30)).await;
        seen.extend(self.broker.answers(list).await?);
        ensure_eq!(seen, expected, "answers in {}", list.unwrap_or("the broker's own list"));
        Ok(())
    }
}

/// Waits until `see` sees what is expected: brokers count with a delay.
pub(super) async fn becomes<T, F>(expected: T, what: &str, see: impl Fn() -> F) -> Verdict
where
    T: PartialEq + fmt::Debug,
    F: Future<Output = Result<T, String>>,
{
    let patience = Instant::now() + SOON;
    loop {
        let seen = see().await?;
        if seen == expected {
            return Ok(());
        }
        ensure!(Instant::now() < patience, "{what}: expected {expected:?}, saw {seen:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Ends with an error where it takes long.
pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T, String> {
    timeout(SOON, future).await.map_err(|_| format!("{what} took more than {SOON:?}"))
}

pub(super) fn request(id: &str, reply_to: Option<&str>) -> QueuedRequest {
    QueuedRequest { request_id: id.to_owned(), reply_to: reply_to.map(str::to_owned) }
}

/// An answer that went well.
pub(super) fn answer(request: &QueuedRequest, response: &[u8]) -> JobAnswer {
    JobAnswer {
        request: request.clone(),
        completed: true,
        response: Bytes::copy_from_slice(response),
        result: Bytes::from_static(b"null"),
        timestamp: "1764000000.123".to_owned(),
    }
}

pub(super) fn answered(request: &QueuedRequest, response: &[u8]) -> Settlement {
    Settlement::Answered(answer(request, response))
}

pub(super) fn new_id() -> String {
    format!("testkit-{}", Uuid::new_v4().simple())
}

pub(super) fn unexpected(what: &str) -> impl Fn(Error) -> String + '_ {
    move |error| format!("{what} failed: {error:?}")
}

pub(super) fn conflict<T: fmt::Debug>(what: &str, answer: Result<T, Error>) -> Verdict {
    match answer {
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        other => Err(format!("{what} must fail with Conflict, saw {other:?}")),
    }
}

impl fmt::Debug for QueueCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueCase").field("one", &self.one).field("two", &self.two).finish_non_exhaustive()
    }
}
