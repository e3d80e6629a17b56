//! What is used: counted, kept and reported.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use crate::{ErrorKind, Result, ToolEntry};

/// Reports what is used. Doors ask it; somebody who counts implements it.
#[async_trait]
pub trait Usage: Debug + Send + Sync + 'static {
    /// What was used in a window that ends now, on all replicas that keep their counts in one place.
    /// `tools` are those that the asker sees: only they are reported as unused.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a window longer than what is kept;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the place cannot be reached.
    async fn report(&self, query: &UsageQuery, tools: &[ToolEntry]) -> Result<UsageReport>;

    /// What happens in this process from now on. Who does not keep up loses the oldest.
    fn live(&self) -> broadcast::Receiver<Arc<UsageEvent>>;
}

/// Keeps counts for longer than a process lives: opaque bytes by process and period.
#[async_trait]
pub trait UsageStore: Debug + Send + Sync + 'static {
    /// Keeps what one process counted in one period, in place of what it has kept of that period before.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn keep(&self, chunk: UsageChunk) -> Result<()>;

    /// What all processes have kept of periods that begin at `from` or later and before `until`, by beginning and then
    /// by source.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>>;

    /// Drops all periods that begin before `before`, of every process.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached.
    async fn forget(&self, before: SystemTime) -> Result<()>;
}

/// What one process counted in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageChunk {
    /// The process: 1 to 64 characters of `[A-Za-z0-9_-]`, another one after each start.
    pub source: String,
    /// When the period begins; kept to the millisecond.
    pub begins_at: SystemTime,
    /// The counts; opaque to the store.
    pub data: Bytes,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// How far back it goes.
    pub window: Duration,
    /// What the rows of [`UsageReport::groups`] are.
    pub group: UsageGroup,
    /// Most rows of each list.
    pub limit: usize,
}

/// What calls are added up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UsageGroup {
    /// `server/tool`.
    #[default]
    Tool,
    /// A server's name.
    Server,
    /// A session's id; empty for the default session.
    Session,
    /// A caller: [`Principal::id`](crate::Principal::id).
    Caller,
    /// The door: `rest`, `mcp`, `queue`.
    Door,
}

/// What was used.
#[derive(Clone, Debug)]
pub struct UsageReport {
    /// Where the window begins.
    pub from: SystemTime,
    /// Where it ends.
    pub until: SystemTime,
    /// All calls of tools.
    pub total: UsageCounts,
    /// The same over time, in equal steps, the oldest first, without gaps.
    pub series: Vec<UsagePoint>,
    /// By the group that was asked for; the most calls first.
    pub groups: Vec<UsageRow>,
    /// Tools that failed; the most failures first.
    pub failing: Vec<UsageRow>,
    /// Tools by their 95th percentile; the slowest first.
    pub slow: Vec<UsageRow>,
    /// Tools that nobody called: `server/tool`, in order.
    pub unused: Vec<String>,
    /// How many that are, also beyond the limit.
    pub unused_total: usize,
    /// Searches.
    pub searches: SearchUsage,
}

/// Numbers of calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageCounts {
    /// Calls, however they ended.
    pub calls: u64,
    /// Those that ended with an error of the gateway or on the way.
    pub errors: u64,
    /// Of which kinds those were; the most often first.
    pub errors_by_kind: Vec<(ErrorKind, u64)>,
    /// Those whose tool said itself that it failed (`isError`).
    pub tool_errors: u64,
    /// Those whose caller went away.
    pub cancelled: u64,
    /// Bytes of arguments.
    pub request_bytes: u64,
    /// Bytes of results.
    pub response_bytes: u64,
    /// Estimated tokens of arguments and results together (a quarter of their characters).
    pub tokens: u64,
    /// From the call to its answer.
    pub latency: Latency,
}

/// Quantiles of durations, in milliseconds; all 0 where there was no call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// 90 %.
    pub p90_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The mean.
    pub mean_ms: f64,
}

/// One step of time.
#[derive(Clone, Debug)]
pub struct UsagePoint {
    /// When it begins.
    pub at: SystemTime,
    /// The calls that ended in it.
    pub counts: UsageCounts,
    /// The searches in it.
    pub searches: u64,
}

/// One group.
#[derive(Clone, Debug)]
pub struct UsageRow {
    /// What the group is called; `other` for all those that were too many to be kept apart.
    pub key: String,
    /// Its calls.
    pub counts: UsageCounts,
}

/// Numbers of searches.
#[derive(Clone, Debug, Default)]
pub struct SearchUsage {
    /// Searches.
    pub total: u64,
    /// Those that found nothing.
    pub without_match: u64,
    /// What was searched for in vain; the most often first.
    pub unmatched_queries: Vec<QueryCount>,
    /// Which tools were run after a search that had found them; the most often first.
    pub led_to: Vec<SearchLed>,
    /// Ranking times.
    pub latency: Latency,
}

/// A query, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryCount {
    /// Its words.
    pub query: String,
    /// How often.
    pub count: u64,
}

/// A tool that was run after a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchLed {
    /// What was searched for.
    pub query: String,
    /// `server/tool`.
    pub tool: String,
    /// How often.
    pub count: u64,
}

/// One thing that happened, for a log that is read live.
#[derive(Clone, Debug)]
pub struct UsageEvent {
    /// When it ended.
    pub at: SystemTime,
    /// The request's id.
    pub request_id: String,
    /// Through which door: `rest`, `mcp`, `queue`; empty from inside the program.
    pub door: &'static str,
    /// Who.
    pub caller: String,
    /// In which session; `None` for the default one.
    pub session_id: Option<String>,
    /// What.
    pub what: UsageEventKind,
    /// How it ended: `ok`, `tool_error`, `cancelled`, or the word of an [`ErrorKind`](crate::ErrorKind).
    pub outcome: &'static str,
    /// The error's sentence.
    pub error: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum UsageEventKind {
    /// A tool was called.
    Call {
        /// Its server's name.
        server: Arc<str>,
        /// Its name there.
        tool: Arc<str>,
        /// Bytes of its arguments.
        request_bytes: u64,
        /// Bytes of its result.
        response_bytes: u64,
    },
    /// Tools were searched for.
    Search {
        /// In these words.
        query: String,
        /// So many were found.
        matches: usize,
        /// The best score, 0..=1.
        best_score: f32,
    },
}
