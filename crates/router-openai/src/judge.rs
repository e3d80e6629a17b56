//! Picks for a search: from the cache, or from the model within its limits.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::{self, Instant};

use crate::breaker::{Breaker, Outcome};
use crate::budget::Budget;
use crate::chat_model::{ChatModel, ChatReply, ChatRequest, Usage};
use crate::config::OpenAiRouterConfig;
use crate::prompt::{Pick, Shown};
use crate::retry::pause;

/// A token of an English text has about four bytes; others have less. For the estimate that counts until the provider
/// says what a request took.
const BYTES_PER_TOKEN: u64 = 3;

/// How much longer than the one who asks those wait who wait for its answer, so that it can still tell them.
const GRACE: Duration = Duration::from_millis(100);

/// Times above it count as it: clocks have an end.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A model, with everything that stands between it and those who ask.
pub(crate) struct Judge {
    config: OpenAiRouterConfig,
    model: Arc<dyn ChatModel>,
    answers: Cache<[u8; 32], Arc<[Pick]>>,
    places: Semaphore,
    breaker: Breaker,
    budget: Budget,
    /// Makes labels that nobody outside can guess.
    secret: RandomState,
    /// Whether the trouble that the configuration has was told.
    has_warned: AtomicBool,
}

impl Judge {
    pub(crate) fn new(model: Arc<dyn ChatModel>, mut config: OpenAiRouterConfig) -> Self {
        for time in [&mut config.timeout, &mut config.cool_down, &mut config.cache_ttl] {
            *time = (*time).min(LONGEST);
        }
        let answers = Cache::builder().max_capacity(config.cache_entries).time_to_live(config.cache_ttl).build();
        Self {
            answers,
            places: Semaphore::new(config.max_concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            breaker: Breaker::new(config.failures_to_open, config.cool_down),
            budget: Budget::new(config.max_calls_per_minute, config.max_tokens_per_day),
            secret: RandomState::new(),
            has_warned: AtomicBool::new(false),
            model,
            config,
        }
    }

    pub(crate) fn config(&self) -> &OpenAiRouterConfig {
        &self.config
    }

    pub(crate) fn model_name(&self) -> &str {
        self.model.name()
    }

    /// What the model picks, best first; `None` where it cannot be asked, for whatever reason. Of equal searches at once
    /// one asks, and the others wait for its answer; if it goes away, another of them asks.
    pub(crate) async fn picks(&self, shown: &Shown) -> Option<Arc<[Pick]>> {
        let deadline = Instant::now() + self.config.timeout;
        let answer = self.answers.try_get_with(shown.digest(), self.ask(shown, deadline));
        match time::timeout_at(deadline + GRACE, answer).await {
            Ok(Ok(picks)) => Some(picks),
            Ok(Err(error)) => {
                self.tell(&error);
                None
            }
            Err(_) => None,
        }
    }

    async fn ask(&self, shown: &Shown, deadline: Instant) -> Result<Arc<[Pick]>> {
        let Ok(Ok(_place)) = time::timeout_at(deadline, self.places.acquire()).await else {
            return Err(Error::new(ErrorKind::RateLimited, "ask the model: `max_concurrency` requests are under way"));
        };
        let Some(pass) = self.breaker.pass(Instant::now()) else {
            return Err(Error::new(ErrorKind::RateLimited, "ask the model: it failed lately and is left alone"));
        };
        let labels = shown.labels(&self.secret);
        let request = shown.request(&labels, self.config.max_output_tokens);
        let reply = self.attempts(&request, deadline).await;
        pass.end(match &reply {
            Ok(_) => Outcome::Success,
            Err(Failed::Provider(_)) => Outcome::Failure,
            Err(Failed::Request(_)) => Outcome::Unknown,
        });
        let reply = reply.map_err(Failed::into_error)?;
        self.has_warned.store(false, Ordering::Relaxed);
        Ok(labels.read(&reply.text)?.into())
    }

    async fn attempts(&self, request: &ChatRequest, deadline: Instant) -> Result<ChatReply, Failed> {
        let bytes = request.system.len() + request.user.len() + request.schema.as_bytes().len();
        let estimate = (bytes as u64 / BYTES_PER_TOKEN).saturating_add(request.max_output_tokens.into());
        let mut attempt = 0;
        loop {
            let charge = self.budget.charge(estimate, Instant::now()).map_err(Failed::Request)?;
            let error = match time::timeout_at(deadline, self.model.complete(request)).await {
                Ok(Ok(reply)) => {
                    charge.settle(reply.usage.map_or(estimate, Usage::total));
                    return Ok(reply);
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(Failed::Provider(timed_out())),
            };
            if was_not_paid_for(&error) {
                charge.settle(0);
            }
            let pause = pause(self.config.max_retries, attempt, &error);
            let Some(pause) = pause.filter(|pause| *pause < deadline.saturating_duration_since(Instant::now())) else {
                return Err(Failed::of(error));
            };
            tracing::debug!(model = self.model.name(), ?error, ?pause, "asking the model again");
            time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Writes to the log why the model was not of use. What only the operator can mend is a warning, once until the model
    /// answers again.
    fn tell(&self, error: &Error) {
        let model = self.model.name();
        if is_misconfigured(error.kind()) && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(model, ?error, "the model refuses requests: check its key, its name and its settings");
        } else {
            tracing::debug!(model, ?error, "the router beneath answers");
        }
    }
}

/// Why the model gave no answer.
enum Failed {
    /// It says something of the next request as well.
    Provider(Error),
    /// It is of this request only: what a tool or a caller wrote must not stop the searches of others.
    Request(Error),
}

impl Failed {
    fn of(error: Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidArguments | ErrorKind::TooLarge => Self::Request(error),
            _ => Self::Provider(error),
        }
    }

    fn into_error(self) -> Error {
        let (Self::Provider(error) | Self::Request(error)) = self;
        error
    }
}

fn is_misconfigured(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::InvalidRequest)
}

/// A request that was turned away at the door, or did not get there.
fn was_not_paid_for(error: &Error) -> bool {
    is_misconfigured(error.kind()) || matches!(error.kind(), ErrorKind::RateLimited | ErrorKind::Unavailable)
}

fn timed_out() -> Error {
    Error::new(ErrorKind::UpstreamTimeout, "ask the model: it did not answer in time")
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("model", &self.model).field("config", &self.config).finish_non_exhaustive()
    }
}
