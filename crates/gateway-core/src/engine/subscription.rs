//! Watching single resources: one subscription at a server for all who watch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::server::Server;
use super::supervisor::{own_limit, pause};
use crate::{Era, Error, ErrorKind, RawJson, Result, UpstreamRequest};

/// Longest that an end of a subscription is told.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A subscription that lasted so long was a good one.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// Keeps a resource watched while it lives: `notifications/resources/updated` of it reach the session's
/// [events](crate::SessionEvents). The subscription is made again after the server was lost.
#[derive(Debug)]
pub struct ResourceSubscription {
    server: Arc<Server>,
    uri: String,
}

/// The resources of one server that are watched, with how many watch each.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<HashMap<String, Watch>>);

#[derive(Debug)]
struct Watch {
    holders: usize,
    stop: CancellationToken,
}

impl ResourceSubscription {
    /// Watches a resource of `server`, by the server's own URI.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses.
    pub(super) async fn begin(server: &Arc<Server>, uri: String) -> Result<Self> {
        let subscription = || Self { server: Arc::clone(server), uri: uri.clone() };
        if server.watches.hold(&uri) {
            return Ok(subscription());
        }
        let connection = server.connection().await?;
        if connection.upstream().info().era == Era::Legacy {
            subscribe(server, &connection, &uri).await?;
        }
        if let Some(stop) = server.watches.insert(&uri) {
            let keeping = keep(Arc::clone(server), uri.clone(), stop, connection);
            server.tasks.spawn(keeping);
        }
        Ok(subscription())
    }

    /// The identity of the resource's server.
    pub fn server_uuid(&self) -> uuid::Uuid {
        self.server.spec().uuid()
    }

    /// The server's own URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for ResourceSubscription {
    fn drop(&mut self) {
        self.server.watches.let_go(&self.uri);
    }
}

impl Watches {
    /// One more holder of a watch that there is.
    fn hold(&self, uri: &str) -> bool {
        let mut watches = self.lock();
        let watch = watches.get_mut(uri);
        watch.map(|watch| watch.holders += 1).is_some()
    }

    /// A new watch and what ends it; `None` where somebody was quicker, whose watch is held as well.
    fn insert(&self, uri: &str) -> Option<CancellationToken> {
        let mut watches = self.lock();
        if let Some(watch) = watches.get_mut(uri) {
            watch.holders += 1;
            return None;
        }
        let stop = CancellationToken::new();
        watches.insert(uri.to_owned(), Watch { holders: 1, stop: stop.clone() });
        Some(stop)
    }

    fn let_go(&self, uri: &str) {
        let mut watches = self.lock();
        let Some(watch) = watches.get_mut(uri) else { return };
        watch.holders -= 1;
        if watch.holders == 0 {
            watch.stop.cancel();
            watches.remove(uri);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a subscription until nobody holds it or the server is ended. It has been made on `connection` where
/// that is of the legacy era.
async fn keep(server: Arc<Server>, uri: String, stop: CancellationToken, connection: Arc<Connection>) {
    let mut current = Some((connection, true));
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let kept = async {
            let (connection, is_subscribed) = match current.take() {
                Some(first) => first,
                None => (server.connection().await?, false),
            };
            keep_on(&server, &connection, &uri, is_subscribed, &stop).await
        };
        let kept = tokio::select! {
            biased;
            () = server.stop.cancelled() => return,
            kept = kept => kept,
        };
        if stop.is_cancelled() {
            return;
        }
        if let Err(error) = kept {
            tracing::debug!(server = server.spec().name(), %error, "a resource is not watched for now");
        }
        failures = if begun.elapsed() >= GOOD_LIFE { 0 } else { failures + 1 };
        tokio::select! {
            () = server.stop.cancelled() => return,
            () = stop.cancelled() => return,
            () = time::sleep(pause(failures, rand::random())) => {}
        }
    }
}

/// Keeps a subscription on one connection until that is lost or `stop` is cancelled.
async fn keep_on(
    server: &Server,
    connection: &Connection,
    uri: &str,
    is_subscribed: bool,
    stop: &CancellationToken,
) -> Result<()> {
    if connection.upstream().info().era == Era::Modern {
        let listening = connection.request(UpstreamRequest::new("subscriptions/listen", listen_params(uri)?));
        return tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = listening => ended.map(drop),
        };
    }
    if !is_subscribed {
        subscribe(server, connection, uri).await?;
    }
    let Some(_held) = connection.hold() else { return Ok(()) };
    tokio::select! {
        _ = connection.lost() => return Ok(()),
        () = stop.cancelled() => {}
    }
    let leaving = connection.request(UpstreamRequest::new("resources/unsubscribe", uri_params(uri)?));
    if !matches!(time::timeout(UNSUBSCRIBE_TIMEOUT, leaving).await, Ok(Ok(_))) {
        tracing::debug!(server = server.spec().name(), "the end of a subscription was not taken");
    }
    Ok(())
}

async fn subscribe(server: &Server, connection: &Connection, uri: &str) -> Result<()> {
    let limit = own_limit(server.spec());
    let request = connection.request(UpstreamRequest::new("resources/subscribe", uri_params(uri)?));
    time::timeout(limit, request).await.map_err(|_| {
        let limit = limit.as_millis();
        Error::new(ErrorKind::UpstreamTimeout, format!("no answer within {limit} ms"))
    })??;
    Ok(())
}

fn uri_params(uri: &str) -> Result<RawJson> {
    written(&serde_json::json!({ "uri": uri }))
}

fn listen_params(uri: &str) -> Result<RawJson> {
    written(&serde_json::json!({ "notifications": { "resourceSubscriptions": [uri] } }))
}

fn written(params: &serde_json::Value) -> Result<RawJson> {
    RawJson::from_value(params)
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a subscription").with_source(error))
}
