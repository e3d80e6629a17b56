//! What was used.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What was used in a window.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageAnswer<'a> {
    /// Where the window begins, in RFC 3339: at or before the moment that was asked for.
    pub from: String,
    /// Where it ends: with the minute or hour that it is.
    pub until: String,
    /// How long a window was asked for.
    pub window_seconds: u64,
    /// What the rows of `groups` are.
    #[schema(value_type = UsageGroupWord)]
    pub group: &'static str,
    /// All calls of tools.
    pub total: UsageCountsBody,
    /// The same over time, in at most 120 equal steps, the oldest first, without gaps.
    pub series: Vec<UsagePointBody>,
    /// By group; the most calls first.
    pub groups: Vec<UsageRowBody<'a>>,
    /// Tools that failed; the most failures first.
    pub failing: Vec<UsageRowBody<'a>>,
    /// Tools by their 95th percentile; the slowest first.
    pub slow: Vec<UsageRowBody<'a>>,
    /// Tools that nobody called: `server/tool`.
    pub unused: &'a [String],
    /// How many that are, also beyond the limit.
    pub unused_total: usize,
    /// Searches.
    pub searches: SearchUsageBody<'a>,
}

/// What calls are added up by.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the words of a field, as OpenAPI shows them")]
pub(crate) enum UsageGroupWord {
    /// `server/tool`.
    Tool,
    /// A server's name.
    Server,
    /// A session's id; empty for the default session.
    Session,
    /// Who called: `anonymous`, `api-key`.
    Caller,
    /// Through which door: `rest`, `mcp`, `queue`.
    Door,
}

/// Numbers of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageCountsBody {
    /// Calls, however they ended.
    pub calls: u64,
    /// Those that ended with an error of the gateway or on the way.
    pub errors: u64,
    /// How many of each kind: `{"upstream_timeout": 2}`.
    pub errors_by_kind: BTreeMap<&'static str, u64>,
    /// Those whose tool said itself that it failed (`isError`).
    pub tool_errors: u64,
    /// Those whose caller went away.
    pub cancelled: u64,
    /// Bytes of arguments.
    pub request_bytes: u64,
    /// Bytes of results.
    pub response_bytes: u64,
    /// Estimated tokens of arguments and results together: a quarter of their characters.
    pub tokens: u64,
    /// From the call to its answer.
    pub latency: LatencyBody,
}

/// Quantiles of durations in milliseconds, to two significant digits; all 0 where there was no call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LatencyBody {
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
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsagePointBody {
    /// When it begins.
    pub at: String,
    /// The searches in it.
    pub searches: u64,
    /// The calls that ended in it.
    pub counts: UsageCountsBody,
}

/// One group, or one tool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageRowBody<'a> {
    /// What it is called; `other` for all those that were too many to be kept apart.
    pub key: &'a str,
    /// Its calls.
    pub counts: UsageCountsBody,
}

/// Numbers of searches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchUsageBody<'a> {
    /// Searches.
    pub total: u64,
    /// Those that found nothing.
    pub without_match: u64,
    /// What was searched for in vain; the most often first.
    pub unmatched_queries: Vec<UnmatchedQuery<'a>>,
    /// Which tools were run after a search that had found them; the most often first.
    pub led_to: Vec<LedTo<'a>>,
    /// How long ranking took.
    pub latency: LatencyBody,
}

/// A query that found nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnmatchedQuery<'a> {
    /// Its words, in lower case.
    pub query: &'a str,
    /// How often it came.
    pub count: u64,
}

/// A tool that was run after a search.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedTo<'a> {
    /// What was searched for, in lower case; empty where words are not kept.
    pub query: &'a str,
    /// `server/tool`.
    pub tool: &'a str,
    /// How often.
    pub count: u64,
}
