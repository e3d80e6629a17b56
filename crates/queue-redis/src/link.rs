//! The connection to Redis: made when first needed, shared by all, replaced when it has shown an error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation, TlsCertificates, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::config::RedisQueueConfig;
use crate::error::{unavailable, unavailable_because};
use crate::greeting::Greeting;

/// How to reach Redis, and the connection that everything but waiting goes over.
pub(crate) struct Link {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    lease: Duration,
    /// How often connecting has been tried.
    attempts: AtomicU64,
    slot: Mutex<Slot>,
}

/// What became of one attempt.
pub(crate) enum Once<T> {
    Done(T),
    Closed(Error),
}

/// The connection that all share.
#[derive(Clone)]
pub(crate) struct Shared {
    connection: MultiplexedConnection,
    generation: u64,
    /// Until when no lease is taken over, since this Redis was away.
    grace: Instant,
}

impl Shared {
    /// How long no lease may be taken over yet.
    pub(crate) fn grace(&self) -> Duration {
        self.grace.saturating_duration_since(Instant::now())
    }
}

#[derive(Default)]
struct Slot {
    connection: Option<Shared>,
    /// Why the last attempt failed, where it did.
    failure: Option<Error>,
    /// Which run of Redis the last connection was to.
    run_id: Option<String>,
    /// Until when no lease is taken over there.
    grace: Option<Instant>,
}

impl Link {
    /// Checks the URL; connects to nothing yet.
    pub(crate) fn new(config: &RedisQueueConfig) -> Result<Self> {
        let wrong = |error: RedisError| {
            // The URL is not shown: there may be a password in it.
            let reason = error.detail().map_or_else(|| error.category().to_owned(), str::to_owned);
            let message = format!(
                "the URL of the queue's Redis is none ({reason}): it is redis://[user:password@]host[:port][/db], rediss://… or unix:///path"
            );
            Error::new(ErrorKind::InvalidRequest, message)
        };
        let url = config.url.expose();
        if url.starts_with("rediss:") {
            // Where another part has chosen already, that is the choice of all.
            let _chosen = rustls::crypto::ring::default_provider().install_default();
        }
        let client = match &config.root_certificate {
            None => Client::open(url),
            Some(pem) => {
                let root_cert = Some(pem.clone().into_bytes());
                Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert })
            }
        };
        Ok(Self {
            client: client.map_err(wrong)?,
            connect_timeout: config.connect_timeout,
            response_timeout: config.response_timeout,
            lease: config.lease,
            attempts: AtomicU64::new(0),
            slot: Mutex::default(),
        })
    }

    /// Runs a script that may be repeated: where the connection turns out to be closed it is run once more on a new one.
    pub(crate) async fn invoke<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        match self.invoke_on(self.connection().await?, script).await? {
            Once::Done(value) => Ok(value),
            Once::Closed(_) => self.invoke_once(script).await,
        }
    }

    /// Runs a script whose caller wants to know of each attempt.
    pub(crate) async fn invoke_once<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T> {
        match self.invoke_on(self.connection().await?, script).await? {
            Once::Done(value) => Ok(value),
            Once::Closed(error) => Err(error),
        }
    }

    /// Runs a script on a connection, and says so where that turns out to be closed: nobody knows then whether it has run.
    pub(crate) async fn invoke_on<T: FromRedisValue>(
        &self,
        mut shared: Shared,
        script: &ScriptInvocation<'_>,
    ) -> Result<Once<T>> {
        let error = match script.invoke_async(&mut shared.connection).await {
            Ok(value) => return Ok(Once::Done(value)),
            Err(error) => error,
        };
        if useless(&error) {
            self.forget(shared.generation).await;
        }
        if error.is_connection_dropped() { Ok(Once::Closed(unavailable(error))) } else { Err(unavailable(error)) }
    }

    /// A connection of one's own, for commands that block for up to `blocked`.
    pub(crate) async fn another(&self, blocked: Duration) -> Result<MultiplexedConnection> {
        self.open(self.response_timeout + blocked).await
    }

    /// The shared connection; made where there is none. All who wait for it share the outcome of one attempt.
    pub(crate) async fn connection(&self) -> Result<Shared> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some(shared) = &slot.connection {
            return Ok(shared.clone());
        }
        let generation = self.attempts.load(Ordering::Acquire);
        if let Some(failure) = &slot.failure
            && generation > seen
        {
            return Err(failure.duplicate());
        }
        let made = self.greet(&mut slot).await;
        self.attempts.store(generation + 1, Ordering::Release);
        slot.failure = made.as_ref().err().map(Error::duplicate);
        let grace = slot.grace.unwrap_or_else(Instant::now);
        let shared = Shared { connection: made?, generation, grace };
        slot.connection = Some(shared.clone());
        Ok(shared)
    }

    async fn forget(&self, generation: u64) {
        let mut slot = self.slot.lock().await;
        if slot.connection.as_ref().is_some_and(|shared| shared.generation == generation) {
            slot.connection = None;
        }
    }

    /// Connects, and finds out whether this Redis will do.
    async fn greet(&self, slot: &mut Slot) -> Result<MultiplexedConnection> {
        let mut connection = self.open(self.response_timeout).await?;
        let command = redis::cmd("INFO");
        let asked = command.query_async::<Value>(&mut connection);
        let answer =
            timeout(self.connect_timeout, asked).await.map_err(|_| unavailable_because("it does not answer"))?;
        match answer.and_then(|value| redis::from_redis_value::<String>(value).map_err(RedisError::from)) {
            Ok(info) => self.meet(slot, Greeting::read(&info)?),
            // A user that may not ask is a careful one; that it works will be seen.
            Err(error) if error.code() == Some("NOPERM") => {}
            Err(error) => return Err(unavailable(error)),
        }
        Ok(connection)
    }

    fn meet(&self, slot: &mut Slot, greeting: Greeting) {
        if slot.run_id.as_deref() == Some(&*greeting.run_id) {
            tracing::debug!("the queue's Redis is reached again");
            return;
        }
        tracing::info!(version = greeting.version, run_id = greeting.run_id, "the queue's Redis is reached");
        if let Some(policy) = greeting.throws_away {
            tracing::warn!(
                policy,
                "the queue's Redis may throw jobs away when its memory is full; maxmemory-policy should be noeviction"
            );
        }
        // Known before, and another run of it: it was away, for how long nobody knows.
        let grace = if slot.run_id.is_some() { self.lease } else { self.lease.saturating_sub(greeting.up) };
        slot.grace = Some(Instant::now() + grace);
        slot.run_id = Some(greeting.run_id);
    }

    async fn open(&self, response_timeout: Duration) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(response_timeout));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config);
        match timeout(self.connect_timeout, opened).await {
            Ok(opened) => opened.map_err(unavailable),
            Err(_) => Err(unavailable_because("it does not answer")),
        }
    }
}

/// Whether another connection may do better: this one is closed, hangs, or leads to a server whose part has changed.
fn useless(error: &RedisError) -> bool {
    // Before Redis 7, what stops a script stands within the text.
    let says = |code: &str| error.code() == Some(code) || error.detail().is_some_and(|detail| detail.contains(code));
    error.is_io_error() || error.is_unrecoverable_error() || says("READONLY") || says("NOAUTH")
}
