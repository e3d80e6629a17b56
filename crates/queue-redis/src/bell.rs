//! Waiting for a job without taking it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::link::Link;

/// How long one command waits at Redis.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many waits of a list are kept for the next who waits.
const KEPT: usize = 8;

/// Rings when there is a job in one of the lists. It may ring without one.
pub(crate) struct Bell {
    link: Arc<Link>,
    lists: Vec<String>,
    /// Waits that nobody waits for just now. A wait under way is continued by the next one: whoever stops waiting leaves neither a
    /// connection that is blocked nor one that must be made anew.
    kept: Mutex<Vec<Wait>>,
}

/// One command on one connection, sent when it is first polled.
struct Wait {
    list: usize,
    rings: Pin<Box<dyn Future<Output = Option<MultiplexedConnection>> + Send>>,
}

impl Bell {
    pub(crate) fn new(link: Arc<Link>, lists: Vec<String>) -> Self {
        Self { link, lists, kept: Mutex::default() }
    }

    /// Waits for a job in one of the lists, up to `longest`.
    pub(crate) async fn wait(&self, longest: Duration) {
        let end = Instant::now() + longest;
        let mut held = Held { bell: self, waits: (0..self.lists.len()).map(|list| self.take(list)).collect() };
        while !held.waits.is_empty() {
            let rung = select_all(held.waits.iter_mut().map(|wait| &mut wait.rings));
            let Ok((connection, place, _)) = timeout_at(end, rung).await else { return };
            let list = held.waits.swap_remove(place).list;
            if let Some(connection) = connection {
                held.waits.push(self.ring(list, Some(connection)));
                return;
            }
            // This list cannot be waited for just now; the others can, and all of them are looked at afterwards.
        }
        sleep_until(end).await;
    }

    fn take(&self, list: usize) -> Wait {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.iter().position(|wait| wait.list == list) {
            Some(place) => kept.swap_remove(place),
            None => self.ring(list, None),
        }
    }

    fn ring(&self, list: usize, connection: Option<MultiplexedConnection>) -> Wait {
        let (link, name) = (self.link.clone(), self.lists[list].clone());
        let rings = async move {
            let mut connection = match connection {
                Some(connection) => connection,
                None => link.another(PATIENCE).await.ok()?,
            };
            if let Err(error) = ring(&name, &mut connection).await {
                if !error.is_connection_dropped() {
                    return None;
                }
                // It may have been closed long ago, while nobody waited.
                connection = link.another(PATIENCE).await.ok()?;
                ring(&name, &mut connection).await.ok()?;
            }
            Some(connection)
        };
        Wait { list, rings: Box::pin(rings) }
    }
}

/// Comes back when there is something in the list, and after some time without.
async fn ring(list: &str, connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut command = redis::cmd("BLMOVE");
    command.arg(list).arg(list).arg("RIGHT").arg("RIGHT").arg(PATIENCE.as_secs_f64());
    let rung = command.exec_async(connection).await;
    if let Err(error) = &rung {
        tracing::debug!(list, %error, "cannot wait for jobs; looking for them now and then");
    }
    rung
}

/// Waits that somebody waits for.
struct Held<'a> {
    bell: &'a Bell,
    waits: Vec<Wait>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut kept = self.bell.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for wait in self.waits.drain(..) {
            if kept.iter().filter(|other| other.list == wait.list).count() < KEPT {
                kept.push(wait);
            }
        }
    }
}
