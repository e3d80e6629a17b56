//! How jobs and their answers travel.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// Carries jobs to the gateway and answers away from it: opaque bytes.
///
/// A job goes through four steps. It is [pushed](Self::push), by the gateway or by any program that knows the broker. It
/// is [claimed](Self::claim) by one gateway, for the time of a *lease* that is [renewed](Self::renew) as long as that gateway
/// lives. Its work [begins](Self::begin), which finds out whether it has been begun before. It is [settled](Self::settle):
/// answered, given back, or laid aside as dead.
///
/// **Nothing is lost**: a job whose lease ends without a settlement is claimed again, by whoever asks next. **Nothing is
/// done twice behind the caller's back**: each claim of it has a token of its own, and only the newest one may begin or
/// settle; [`Begun::Again`] says that an earlier claim has begun, so that the work may have been done. **One answer**: a
/// settlement removes the job and hands its answer over in one step, where the broker has one; where it has none,
/// the answer goes out first, and may go out again with the same request id.
///
/// To write your own: implement this for a client of your broker and run `gateway_testkit`'s queue suite on it.
#[async_trait]
pub trait Queue: Debug + Send + Sync + 'static {
    /// What it is called: `memory`, `redis`.
    fn name(&self) -> &'static str;

    /// Appends a job. When this returns, the job survives all that the queue survives. It is dropped in silence where
    /// one with its request id is known already: then the push was the second attempt of the first.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached: the job may be there or not, and
    /// may be pushed again; [`RateLimited`](crate::ErrorKind::RateLimited) where the queue is full;
    /// [`TooLarge`](crate::ErrorKind::TooLarge).
    async fn push(&self, job: Job) -> Result<()>;

    /// Takes up to `max` jobs, each under a lease; waits up to `wait` for the first. Jobs whose lease has ended come first,
    /// then those of a higher [`Priority`] where the broker keeps them apart, then the oldest. Dropping the future loses
    /// nothing: what it has claimed is claimed again after its lease.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached.
    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>>;

    /// Notes that the work of a claimed job begins. Call it once for each claim, before anything is done. May be
    /// repeated after [`Unavailable`](crate::ErrorKind::Unavailable): the same claim gets the same answer.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) where the lease has been lost: do nothing, somebody else has the job;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached.
    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun>;

    /// Prolongs leases by their whole length from now, and returns the [ids](Claim::id) of claims that have been lost.
    /// Call it well before [`lease`](Self::lease) is over.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached.
    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>>;

    /// How long a lease is.
    fn lease(&self) -> Duration;

    /// Ends a claim. May be repeated after [`Unavailable`](crate::ErrorKind::Unavailable); a repetition of one that came
    /// through is `Conflict`, and then all is well.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) where the claim is gone: its lease has been lost and somebody else
    /// has the job, so its answer is not taken; [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be
    /// reached.
    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()>;

    /// What is known of a request: kept for an hour after its answer at least.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached.
    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>>;

    /// How much there is to do.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the broker cannot be reached.
    async fn depth(&self) -> Result<QueueDepth>;
}

/// A job to be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The id of its request: 1 to 128 characters of `[A-Za-z0-9_.:-]`.
    pub request_id: String,
    /// Its envelope: what [`Claim::payload`] will be.
    pub payload: Bytes,
    /// How urgent it is; a broker with one list only keeps all in the order in which they came.
    pub priority: Priority,
}

/// How urgent a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// When nothing else is to do.
    Low,
    /// As it comes.
    #[default]
    Normal,
    /// Before others.
    High,
    /// Before all.
    Urgent,
}

impl Priority {
    /// Its word on the wire: `normal`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// The priority that a word of the wire means.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Low, Self::Normal, Self::High, Self::Urgent].into_iter().find(|priority| priority.as_str() == word)
    }
}

/// A job in the hands of one gateway. Clones are the same claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which one: unique among all claims of this queue, also of other processes.
    pub id: String,
    /// What the producer wrote; nobody has looked at it yet.
    pub payload: Bytes,
    /// How often it has been claimed, this time included, as far as the broker knows; 1 the first time.
    pub deliveries: u32,
    /// The priority of the list that it came from, where that says one.
    pub priority: Option<Priority>,
    /// Where the answer goes unless the envelope says so, where the broker has a field for that (AMQP's `reply_to`).
    pub reply_to: Option<String>,
    /// The broker's own: a token, a delivery tag. Opaque to others.
    pub token: String,
}

/// What is known of a request when its work begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRequest {
    /// Its id: equal ids are the same request.
    pub request_id: String,
    /// The list or queue for its answer; the broker's own (`mcp_responses`) where there is none.
    pub reply_to: Option<String>,
}

/// Whether a job has been begun before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Never: the work may be done.
    First,
    /// A claim that was lost has begun it: it may have been done, wholly or in part.
    Again,
    /// Another job with this request id is under way (also where its lease has just ended) or has been answered. The claim is gone with this answer. What the
    /// other job is answered goes to this one's `reply_to` as well, where that is another list.
    Duplicate,
}

/// How a claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The job has been done, well or badly, and this is its answer. The claim has been begun.
    Answered(JobAnswer),
    /// It is no job at all, or one that ends all who take it: it goes to the dead letters, unchanged, with the reason.
    Dead {
        /// Why, in one line.
        reason: String,
        /// What its requester is told, where it can be read who that is: handed over as the answer of
        /// [`Answered`](Self::Answered) is. The claim has been begun then.
        answer: Option<JobAnswer>,
    },
    /// Nothing has been done: it goes back to where it came from, as the next one.
    Released,
}

/// The answer to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAnswer {
    /// Whose.
    pub request: QueuedRequest,
    /// Whether it went well: `completed`, else `error`.
    pub completed: bool,
    /// The response envelope, JSON: what the requester receives.
    pub response: Bytes,
    /// What stands under `result` in it, JSON; `null` where there is none.
    pub result: Bytes,
    /// What stands under `timestamp` in it.
    pub timestamp: String,
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The job's envelope.
    pub request: Option<Bytes>,
    /// Where it is.
    pub state: RequestState,
    /// The response envelope, where there is one.
    pub response: Option<Bytes>,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It waits.
    Queued,
    /// Its work has begun.
    Processing,
    /// It has been answered, and it went well.
    Completed,
    /// It has been answered, and it went wrong.
    Failed,
}

impl RequestState {
    /// Its word on the wire: `queued`, `processing`, `completed`, `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "error",
        }
    }
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Jobs that wait.
    pub waiting: u64,
    /// Jobs in the hands of some gateway, as far as the broker tells.
    pub claimed: u64,
    /// Dead letters.
    pub dead: u64,
}
