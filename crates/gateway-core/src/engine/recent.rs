//! What callers searched for lately, so that it can be learned which of the tools that were found they ran.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{Context, Feedback, FoundTool, RawJson, ToolReply, ToolSearch, ToolUse};

/// How long after a search a run of a tool is still taken for what came of it.
const MEMORABLE: Duration = Duration::from_secs(10 * 60);

/// Most searches of one caller that are remembered. The default session may be many programs with one key.
const SEARCHES: usize = 8;

/// Callers are spread over so many locks.
const SHARDS: usize = 16;

/// Most callers of one shard; the one that has been silent for longest makes room. With [`SEARCHES`], the longest
/// queries and the most tools in each, all shards together hold some 15 MiB.
const CALLERS: usize = 64;

/// The last searches of each caller.
pub(super) struct RecentSearches {
    feedbacks: Vec<Arc<dyn Feedback>>,
    /// Callers and tools are known by hashes under its keys, which nobody outside can foresee.
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Caller>>; SHARDS],
}

/// The searches of one principal in one session, the newest last; never empty.
type Caller = VecDeque<Search>;

struct Search {
    at: Instant,
    query: Arc<str>,
    found: Box<[Found]>,
}

/// A tool that a search found.
struct Found {
    tool: u64,
    score: f32,
    /// Whether its run after this search has been told.
    told: bool,
}

impl RecentSearches {
    pub(super) fn new(feedbacks: Vec<Arc<dyn Feedback>>) -> Self {
        Self { feedbacks, hasher: RandomState::new(), shards: Default::default() }
    }

    /// Tells of a search, and remembers what it found.
    pub(super) fn searched(&self, search: &ToolSearch<'_>) {
        for feedback in &self.feedbacks {
            feedback.searched(search);
        }
        self.remember(search);
    }

    fn remember(&self, &ToolSearch { context, query, matches, .. }: &ToolSearch<'_>) {
        if matches.is_empty() {
            return;
        }
        let tool = |found: &FoundTool| self.hasher.hash_one((found.tool.server_uuid, found.tool.tool.name()));
        let found = |found: &FoundTool| Found { tool: tool(found), score: found.score, told: false };
        let found = matches.iter().map(found).collect();
        let search = Search { at: Instant::now(), query: beginning(query).into(), found };
        let caller = self.caller(context);
        let mut callers = self.shard(caller);
        if callers.len() >= CALLERS && !callers.contains_key(&caller) {
            let last_heard = |caller: &Caller| caller.back().map(|search| search.at);
            let silent = callers.iter().min_by_key(|(_, caller)| last_heard(caller)).map(|(caller, _)| *caller);
            silent.and_then(|silent| callers.remove(&silent));
        }
        let searches = callers.entry(caller).or_default();
        if searches.len() >= SEARCHES {
            searches.pop_front();
        }
        searches.push_back(search);
    }

    /// Tells of a run, where a search led to it and the tool did what it was asked.
    pub(super) fn called(&self, context: &Context, reply: &ToolReply) {
        let caller = self.caller(context);
        let tool = self.hasher.hash_one((reply.server_uuid, reply.tool.name()));
        // Most results are not read at all, and none under the lock. Two calls may end at once, so who tells is
        // decided after that.
        if newest_with(&mut self.shard(caller), caller, tool).is_none() || !succeeded(&reply.result) {
            return;
        }
        let Some(untold) = newest_with(&mut self.shard(caller), caller, tool).map(Untold::take) else { return };
        let used = ToolUse {
            principal: &context.principal().id,
            query: &untold.query,
            server: &reply.server,
            tool: reply.tool.name(),
            score: untold.score,
            rival: untold.rival,
        };
        for feedback in &self.feedbacks {
            feedback.used(&used);
        }
    }

    fn caller(&self, context: &Context) -> u64 {
        self.hasher.hash_one((&*context.principal().id, context.session_id()))
    }

    fn shard(&self, caller: u64) -> MutexGuard<'_, HashMap<u64, Caller>> {
        let shard = &self.shards[caller as usize % SHARDS];
        // Each step leaves the map whole, so it is whole also after a panic.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller's newest search that found the tool, and the tool's place in it, unless its run has been told.
fn newest_with(callers: &mut HashMap<u64, Caller>, caller: u64, tool: u64) -> Option<(&mut Search, usize)> {
    let searches = callers.get_mut(&caller)?;
    // From the oldest on.
    while searches.front().is_some_and(|search| search.at.elapsed() >= MEMORABLE) {
        searches.pop_front();
    }
    if searches.is_empty() {
        callers.remove(&caller);
        return None;
    }
    let place = |search: &Search| search.found.iter().position(|found| found.tool == tool);
    let (search, place) = callers.get_mut(&caller)?.iter_mut().rev().find_map(|search| {
        let place = place(search)?;
        Some((search, place))
    })?;
    (!search.found[place].told).then_some((search, place))
}

/// What is told of a run.
struct Untold {
    query: Arc<str>,
    score: f32,
    rival: Option<f32>,
}

impl Untold {
    /// Of the tool at `place`, which counts as told from now on.
    fn take((search, place): (&mut Search, usize)) -> Self {
        search.found[place].told = true;
        // What has been run before was wanted as well: it is not what this one was preferred to.
        let others = search.found.iter().filter(|found| !found.told).map(|found| found.score);
        Self { query: Arc::clone(&search.query), score: search.found[place].score, rival: others.reduce(f32::max) }
    }
}

impl fmt::Debug for RecentSearches {
    /// Without the queries: they belong to their callers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentSearches").field("feedbacks", &self.feedbacks).finish_non_exhaustive()
    }
}

/// As much of a query as is remembered.
fn beginning(query: &str) -> &str {
    let mut end = query.len().min(ToolUse::MAX_QUERY);
    while !query.is_char_boundary(end) {
        end -= 1;
    }
    &query[..end]
}

/// Whether a `CallToolResult` is one of a tool that ran to its end and did not fail.
fn succeeded(result: &RawJson) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        #[serde(borrow)]
        is_error: Option<&'a RawValue>,
        #[serde(borrow)]
        result_type: Option<&'a RawValue>,
    }
    result.read::<Head<'_>>().is_ok_and(|head| {
        let says = |member: Option<&RawValue>, text: &str| member.is_none_or(|member| member.get() == text);
        says(head.is_error, "false") && says(head.result_type, r#""complete""#)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_result_without_an_error_is_a_success() {
        for (result, expected) in [
            (r#"{"content":[]}"#, true),
            (r#"{"content":[{"isError":true}],"isError" : false}"#, true),
            (r#"{"isError":null}"#, true),
            (r#"{"resultType":"complete","content":[]}"#, true),
            (r#"{"isError":true}"#, false),
            (r#"{"isError":1}"#, false),
            (r#"{"resultType":"input_required","inputRequests":{}}"#, false),
            (r#"[]"#, false),
        ] {
            let result = RawJson::parse(result.to_owned()).expect("is JSON");
            assert_eq!(succeeded(&result), expected, "{}", result.as_str());
        }
    }
}
