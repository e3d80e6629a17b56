//! A limit on the calls of one server that are under way at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use gateway_core::{Call, Context, Error, ErrorKind, Invoke, Layer, RawJson, Result, Retry, Server};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{self, Instant};

use crate::deadline::caller_gave_up;
use crate::per_server::PerServer;

/// When a refused caller may come again, in milliseconds.
const RETRY_AFTER_MS: u64 = 1000;

/// Settings of [`ConcurrencyLayer`].
#[derive(Clone, Debug)]
pub struct ConcurrencyConfig {
    /// Most calls that wait for a place at one server; more are refused.
    pub max_waiting: usize,
}

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        Self { max_waiting: 1024 }
    }
}

/// Lets at most `max_concurrency` calls of a server be under way. More wait in the order in which
/// they came, until their deadline or for the server's `request_timeout_ms`; more than
/// [`max_waiting`](ConcurrencyConfig::max_waiting) are refused with
/// [`Unavailable`](ErrorKind::Unavailable) at once.
#[derive(Debug)]
pub struct ConcurrencyLayer {
    config: ConcurrencyConfig,
}

impl ConcurrencyLayer {
    /// The layer with these settings.
    pub fn new(config: ConcurrencyConfig) -> Self {
        Self { config }
    }
}

impl Layer for ConcurrencyLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Concurrency { inner, max_waiting: self.config.max_waiting, places: PerServer::default() })
    }
}

#[derive(Debug)]
struct Concurrency {
    inner: Arc<dyn Invoke>,
    max_waiting: usize,
    places: PerServer<Places>,
}

/// The places at one server.
#[derive(Debug)]
struct Places {
    free: Semaphore,
    waiting: AtomicUsize,
}

#[async_trait]
impl Invoke for Concurrency {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let places = self.places.of(&call.server, Places::of);
        let _place = match places.free.try_acquire() {
            Ok(place) => place,
            Err(_) => self.wait(&places, context, call).await?,
        };
        self.inner.invoke(context, call).await
    }
}

impl Concurrency {
    async fn wait<'a>(&self, places: &'a Places, context: &Context, call: &Call) -> Result<SemaphorePermit<'a>> {
        let _waiter = Waiter::enter(&places.waiting, self.max_waiting).ok_or_else(|| {
            let why = format!("and {} calls are waiting already", self.max_waiting);
            no_place(call, &why)
        })?;
        let place = async { places.free.acquire().await.map_err(|_| no_place(call, "and none will come free")) };
        let patience = call.server.spec().limits().request_timeout();
        let patience_end = if patience.is_zero() { None } else { Instant::now().checked_add(patience) };
        let (end, is_callers) = match (context.deadline(), patience_end) {
            (Some(caller), Some(own)) => (caller.min(own), caller <= own),
            (Some(caller), None) => (caller, true),
            (None, Some(own)) => (own, false),
            (None, None) => return place.await,
        };
        match time::timeout_at(end, place).await {
            Ok(place) => place,
            Err(_) if is_callers => Err(caller_gave_up(call)),
            Err(_) => {
                let waited = call.server.spec().limits().request_timeout_ms;
                Err(no_place(call, &format!("and none came free within {waited} ms")))
            }
        }
    }
}

impl Places {
    fn of(server: &Server) -> Self {
        let places = server.spec().limits().max_concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(places), waiting: AtomicUsize::new(0) }
    }
}

/// One call that waits; counted as long as this lives.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn enter(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let entered = waiting.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1));
        entered.ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn no_place(call: &Call, why: &str) -> Error {
    let spec = call.server.spec();
    let (name, most) = (spec.name(), spec.limits().max_concurrency);
    Error::new(
        ErrorKind::Unavailable,
        format!("cannot find a place at server `{name}`: {most} calls are under way (its max_concurrency) {why}"),
    )
    .with_retry(Retry::Safe)
    .with_retry_after_ms(RETRY_AFTER_MS)
}
