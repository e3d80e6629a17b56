//! The connection to Redis: made when first needed, shared by all, replaced when it has shown an error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, ScriptInvocation, TlsCertificates,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::RedisStoreConfig;
use crate::error::{unavailable, unavailable_because};

/// How to reach Redis, and the connection that everything but listening goes over.
pub(crate) struct Link {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// How often connecting has been tried.
    attempts: AtomicU64,
    slot: Mutex<Slot>,
}

/// What Redis is asked.
#[derive(Clone, Copy)]
pub(crate) enum Question<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

/// What became of one attempt.
pub(crate) enum Once<T> {
    Done(T),
    /// The connection was closed: nobody knows whether Redis did it.
    Closed(Error),
}

#[derive(Default)]
struct Slot {
    connection: Option<(u64, MultiplexedConnection)>,
    /// Why the last attempt failed, where it did.
    failure: Option<Error>,
}

impl Link {
    /// Checks the URL; connects to nothing yet.
    pub(crate) fn new(config: &RedisStoreConfig) -> Result<Self> {
        let wrong = |_: RedisError| {
            // Neither the URL nor what the driver says of it is shown: there may be a password in it.
            let message = "the URL of the store's Redis, or its certificate, cannot be read: write \
                           redis://[user:password@]host[:port][/db], rediss://… or unix:///path, with every special \
                           character of the password as %XX";
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
            attempts: AtomicU64::new(0),
            slot: Mutex::default(),
        })
    }

    /// Asks what may be asked twice: where the connection turns out to be closed, once more on a new one.
    pub(crate) async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T> {
        match self.ask_once(question).await? {
            Once::Done(answer) => Ok(answer),
            Once::Closed(_) => match self.ask_once(question).await? {
                Once::Done(answer) => Ok(answer),
                Once::Closed(error) => Err(error),
            },
        }
    }

    /// Asks once.
    pub(crate) async fn ask_once<T: FromRedisValue>(&self, question: Question<'_>) -> Result<Once<T>> {
        let (generation, mut connection) = self.connection().await?;
        let answer = match question {
            Question::Command(command) => command.query_async(&mut connection).await,
            Question::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
            Question::Script(script) => script.invoke_async(&mut connection).await,
        };
        let error = match answer {
            Ok(answer) => return Ok(Once::Done(answer)),
            Err(error) => error,
        };
        if useless(&error) {
            self.forget(generation).await;
        }
        if error.is_connection_dropped() { Ok(Once::Closed(unavailable(error))) } else { Err(unavailable(error)) }
    }

    /// A connection of one's own, to listen on.
    pub(crate) async fn listening(&self) -> Result<PubSub> {
        match timeout(self.connect_timeout, self.client.get_async_pubsub()).await {
            Ok(opened) => opened.map_err(unavailable),
            Err(_) => Err(unavailable_because("it does not answer")),
        }
    }

    /// The shared connection; made where there is none. All who wait for it share the outcome of one attempt.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection)> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some((generation, connection)) = &slot.connection {
            return Ok((*generation, connection.clone()));
        }
        let attempts = self.attempts.load(Ordering::Acquire);
        if let Some(failure) = &slot.failure
            && attempts > seen
        {
            return Err(failure.duplicate());
        }
        let made = self.open().await;
        self.attempts.store(attempts + 1, Ordering::Release);
        match made {
            Ok(connection) => {
                slot.failure = None;
                slot.connection = Some((attempts, connection.clone()));
                Ok((attempts, connection))
            }
            Err(error) => {
                slot.failure = Some(error.duplicate());
                Err(error)
            }
        }
    }

    async fn forget(&self, generation: u64) {
        let mut slot = self.slot.lock().await;
        if slot.connection.as_ref().is_some_and(|(current, _)| *current == generation) {
            slot.connection = None;
        }
    }

    async fn open(&self) -> Result<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config);
        match timeout(self.connect_timeout, opened).await {
            Ok(opened) => opened.map_err(unavailable),
            Err(_) => Err(unavailable_because("it does not answer")),
        }
    }
}

/// Whether another connection may do better: this one is closed, hangs, or leads to a server whose part has changed.
fn useless(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || matches!(error.code(), Some("READONLY" | "NOAUTH"))
}
