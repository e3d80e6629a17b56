//! What can be set about judging.

use std::time::Duration;

/// The settings of an [`OpenAiRouter`](crate::OpenAiRouter).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAiRouterConfig {
    /// How many candidates the model is shown, the best of the router beneath; 0 counts as 1.
    pub candidates: usize,
    /// Most bytes that are shown of a tool's description.
    pub max_description_bytes: usize,
    /// Most tokens of an answer. About 40 for each tool that fits, and more for a model that thinks.
    pub max_output_tokens: u32,
    /// How long a search waits for the model, second attempts included.
    pub timeout: Duration,
    /// Most attempts after the first one.
    pub max_retries: u32,
    /// After so many failed searches in a row the model is left alone; 0 never leaves it alone.
    pub failures_to_open: u32,
    /// How long it is left alone before one search may try it again.
    pub cool_down: Duration,
    /// Most requests in any 60 seconds, second attempts included; 0 sets no limit.
    pub max_calls_per_minute: u32,
    /// Most tokens, in and out, in 24 hours; 0 sets no limit. A request counts with an estimate until the provider
    /// says what it took.
    pub max_tokens_per_day: u64,
    /// Most requests under way at once; more wait their turn. 0 counts as 1.
    pub max_concurrency: usize,
    /// How many answers are kept for equal searches; 0 keeps none.
    pub cache_entries: u64,
    /// How long an answer is kept.
    pub cache_ttl: Duration,
}

impl Default for OpenAiRouterConfig {
    fn default() -> Self {
        Self {
            candidates: 20,
            max_description_bytes: 400,
            max_output_tokens: 2_000,
            timeout: Duration::from_secs(10),
            max_retries: 2,
            failures_to_open: 5,
            cool_down: Duration::from_secs(30),
            max_calls_per_minute: 60,
            max_tokens_per_day: 5_000_000,
            max_concurrency: 8,
            cache_entries: 1_000,
            cache_ttl: Duration::from_secs(600),
        }
    }
}
