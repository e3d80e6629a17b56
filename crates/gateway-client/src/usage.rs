//! What was used.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A question for what was used. The default asks for the last hour, by tool.
#[derive(Clone, Debug, Default)]
pub struct UsageRequest {
    window_seconds: Option<u64>,
    group: Option<UsageGroup>,
    limit: Option<usize>,
}

/// What calls are added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageGroup {
    /// `server/tool`.
    Tool,
    /// A server's name.
    Server,
    /// A session's id; empty for the default session.
    Session,
    /// Who called.
    Caller,
    /// Through which door: `rest`, `mcp`, `queue`.
    Door,
}

impl UsageRequest {
    /// The last hour, by tool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Going so far back; the gateway's default is an hour.
    #[must_use]
    pub fn with_window_seconds(mut self, seconds: u64) -> Self {
        self.window_seconds = Some(seconds);
        self
    }

    /// With [`Usage::groups`] of this kind.
    #[must_use]
    pub fn with_group(mut self, group: UsageGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// With at most so many rows in each list, 1 to 1000; the gateway's default is 20.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The query of its URL.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let window = self.window_seconds.map(|seconds| ("window", seconds.to_string()));
        let group = self.group.map(|group| ("group", group.as_str().to_owned()));
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        [window, group, limit].into_iter().flatten().collect()
    }
}

impl UsageGroup {
    /// Its word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Server => "server",
            Self::Session => "session",
            Self::Caller => "caller",
            Self::Door => "door",
        }
    }
}

/// What was used in a window.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Where the window begins, in RFC 3339.
    pub from: String,
    /// Where it ends.
    pub until: String,
    /// How long a window was asked for.
    pub window_seconds: u64,
    /// What [`groups`](Self::groups) are.
    pub group: UsageGroup,
    /// All calls of tools.
    pub total: UsageCounts,
    /// The same over time, in equal steps, the oldest first, without gaps.
    pub series: Vec<UsagePoint>,
    /// By group; the most calls first.
    pub groups: Vec<UsageRow>,
    /// Tools that failed; the most failures first.
    pub failing: Vec<UsageRow>,
    /// Tools by their 95th percentile; the slowest first.
    pub slow: Vec<UsageRow>,
    /// Tools that nobody called: `server/tool`.
    pub unused: Vec<String>,
    /// How many that are, also beyond the limit.
    pub unused_total: usize,
    /// Searches.
    pub searches: SearchUsage,
}

/// Numbers of calls.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct UsageCounts {
    /// Calls, however they ended.
    pub calls: u64,
    /// Those that ended with an error of the gateway or on the way.
    pub errors: u64,
    /// How many of each kind: `upstream_timeout` and so on.
    pub errors_by_kind: BTreeMap<String, u64>,
    /// Those whose tool said itself that it failed.
    pub tool_errors: u64,
    /// Those whose caller went away.
    pub cancelled: u64,
    /// Bytes of arguments.
    pub request_bytes: u64,
    /// Bytes of results.
    pub response_bytes: u64,
    /// Estimated tokens of arguments and results together.
    pub tokens: u64,
    /// From the call to its answer.
    pub latency: Latency,
}

/// Quantiles of durations, in milliseconds; all 0 where there was none.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
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
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct UsagePoint {
    /// When it begins, in RFC 3339.
    pub at: String,
    /// The searches in it.
    pub searches: u64,
    /// The calls that ended in it.
    pub counts: UsageCounts,
}

/// One group, or one tool.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct UsageRow {
    /// What it is called; `other` for all those that were too many to be kept apart.
    pub key: String,
    /// Its calls.
    pub counts: UsageCounts,
}

/// Numbers of searches.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct SearchUsage {
    /// Searches.
    pub total: u64,
    /// Those that found nothing.
    pub without_match: u64,
    /// What was searched for in vain; the most often first.
    pub unmatched_queries: Vec<UnmatchedQuery>,
    /// Which tools were run after a search that had found them; the most often first.
    pub led_to: Vec<SearchLed>,
    /// How long ranking took.
    pub latency: Latency,
}

/// A query that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct UnmatchedQuery {
    /// Its words, in lower case.
    pub query: String,
    /// How often it came.
    pub count: u64,
}

/// A tool that was run after a search.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SearchLed {
    /// What was searched for, in lower case; empty where words are not kept.
    pub query: String,
    /// `server/tool`.
    pub tool: String,
    /// How often.
    pub count: u64,
}
