//! Changes of other replicas arrive: one task listens to the store, or looks now and then where it cannot tell.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::gateway::Engine;
use super::global::GLOBAL;
use super::record::SYNC_EVERY;
use crate::{ErrorKind, RecordChange};

/// Changes come in bursts: those within this time are looked at together.
const BURST: Duration = Duration::from_millis(50);

/// A store that was away is asked again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Records that are looked at side by side.
const AT_ONCE: usize = 16;

/// What is to be looked at.
#[derive(Debug, Default)]
struct Due {
    all: bool,
    ids: HashSet<Arc<str>>,
}

impl Due {
    fn note(&mut self, change: RecordChange) {
        match change {
            RecordChange::Any => self.all = true,
            RecordChange::One(id) => {
                self.ids.insert(id);
            }
        }
    }

    fn is_nothing(&self) -> bool {
        !self.all && self.ids.is_empty()
    }
}

/// Follows the store until the gateway stops. `changes` was taken before anything was read.
pub(super) async fn follow(engine: Weak<Engine>, changes: Option<Receiver<RecordChange>>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = run(engine, changes) => {}
    }
}

/// The same, until nobody holds the gateway.
async fn run(engine: Weak<Engine>, mut changes: Option<Receiver<RecordChange>>) {
    let mut due = Due::default();
    loop {
        match &mut changes {
            Some(listening) => {
                if !hear(listening, &mut due).await {
                    changes = None;
                }
            }
            // Sessions are looked at when they are used; the default one is always in use.
            None => {
                time::sleep(SYNC_EVERY).await;
                due.ids.insert(GLOBAL.into());
            }
        }
        let Some(engine) = engine.upgrade() else { return };
        due = look(&engine, due).await;
    }
}

/// Waits for the next changes; where some are due already, not for long. `false` when the store tells no more.
async fn hear(changes: &mut Receiver<RecordChange>, due: &mut Due) -> bool {
    let first = if due.is_nothing() {
        changes.recv().await
    } else {
        match time::timeout(RETRY_AFTER, changes.recv()).await {
            Ok(heard) => heard,
            Err(_) => return true,
        }
    };
    match first {
        Ok(change) => due.note(change),
        Err(RecvError::Lagged(_)) => due.all = true,
        Err(RecvError::Closed) => return false,
    }
    let until = Instant::now() + BURST;
    time::sleep_until(until).await;
    loop {
        match changes.try_recv() {
            Ok(change) => due.note(change),
            Err(TryRecvError::Lagged(_)) => due.all = true,
            // Where it is closed, the next wait says so.
            Err(TryRecvError::Empty | TryRecvError::Closed) => return true,
        }
    }
}

/// Looks at what is due, and returns what could not be looked at.
async fn look(engine: &Arc<Engine>, due: Due) -> Due {
    let sessions = &engine.sessions;
    let mut ids: Vec<Arc<str>> = if due.all {
        let live = sessions.live.iter().map(|entry| entry.key().as_str().into());
        live.chain([GLOBAL.into()]).collect()
    } else {
        due.ids.into_iter().filter(|id| &**id == GLOBAL || sessions.live.contains_key(&**id)).collect()
    };
    // The default session is everybody's: first.
    ids.sort_unstable_by_key(|id| &**id == GLOBAL);
    let (mut looks, mut left) = (JoinSet::new(), Due::default());
    loop {
        while looks.len() < AT_ONCE
            && let Some(id) = ids.pop()
        {
            let engine = Arc::clone(engine);
            looks.spawn(async move {
                let looked = engine.sessions.look(&id).await;
                (id, looked)
            });
        }
        match looks.join_next().await {
            None => return left,
            Some(Ok((id, Err(error)))) => {
                tracing::warn!(record = &*id, ?error, "cannot look at a record that has changed");
                if error.kind() == ErrorKind::Unavailable {
                    left.ids.insert(id);
                }
            }
            Some(_) => {}
        }
    }
}
