//! Claims in this gateway's hands. AMQP has no leases: a message that is not acknowledged comes back when the connection
//! ends, and not before. So a lease is a promise that the gateway keeps to itself: it gives back what nobody renews.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gateway_core::{Begun, Claim};
use lapin::Acker;
use lapin::options::BasicNackOptions;
use lapin::{BasicProperties, types::ShortString};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::debug;

use crate::records::unix_ms;

/// A message that this gateway has taken and not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Acknowledges it, on the connection that it came by.
    pub acker: Acker,
    /// Whether it was delivered before.
    pub redelivered: bool,
    pub properties: BasicProperties,
    /// When the lease ends.
    pub until: Instant,
    /// The request whose work has begun, and what was said then.
    pub begun: Option<(String, Begun)>,
}

impl Held {
    /// When the lease ends, in Unix milliseconds: not later than here.
    pub(crate) fn until_unix_ms(&self) -> u64 {
        let left = self.until.saturating_duration_since(Instant::now());
        unix_ms(SystemTime::now() + left)
    }

    /// Whether the claim is the caller's still. One whose work has begun outlives its connection: its record says
    /// whose it is.
    fn holds(&self, now: Instant) -> bool {
        self.until > now && (self.begun.is_some() || !self.acker.poisoned())
    }

    /// What an answer is found by: the producer's correlation id, or else the request's id.
    pub(crate) fn correlation_id(&self, request_id: &str) -> String {
        let own = self.properties.correlation_id().as_ref().map(ShortString::as_str);
        own.filter(|own| !own.is_empty()).unwrap_or(request_id).to_owned()
    }
}

/// The claims by their ids.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    table: Mutex<Table>,
    /// Told when a lease may end sooner than the soonest so far.
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Table {
    claims: HashMap<String, Slot>,
    /// What goes back to the queue at a time, and is no claim any more.
    parked: Vec<(Instant, Acker)>,
}

#[derive(Debug)]
struct Slot {
    held: Held,
    /// Whether somebody is settling it: then its lease does not end.
    busy: bool,
}

/// A claim that is being begun or settled. Dropping it leaves the claim as it was.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    holdings: &'a Holdings,
    id: String,
    pub held: Held,
}

impl Holdings {
    pub(crate) fn insert(&self, id: String, held: Held) {
        self.lock().claims.insert(id, Slot { held, busy: false });
        self.earlier.notify_one();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().claims.len()
    }

    /// Takes a claim to begin or to settle it; `None` where it is lost, or being settled.
    pub(crate) fn take(&self, claim: &Claim) -> Option<Busy<'_>> {
        let mut table = self.lock();
        let slot = table.claims.get_mut(&claim.id)?;
        if slot.busy || claim.token != claim.id || !slot.held.holds(Instant::now()) {
            return None;
        }
        slot.busy = true;
        Some(Busy { holdings: self, id: claim.id.clone(), held: slot.held.clone() })
    }

    /// Prolongs a claim, and returns it as it is then; `None` where it is lost.
    pub(crate) fn renew(&self, id: &str, until: Instant) -> Option<Held> {
        let mut table = self.lock();
        let slot = table.claims.get_mut(id)?;
        if !slot.busy && !slot.held.holds(Instant::now()) {
            return None;
        }
        slot.held.until = until;
        Some(slot.held.clone())
    }

    /// Gives up a claim and its message at once.
    pub(crate) fn drop_claim(&self, id: &str) {
        let mut table = self.lock();
        if let Some(slot) = table.claims.remove(id) {
            table.parked.push((Instant::now(), slot.held.acker));
        }
        drop(table);
        self.earlier.notify_one();
    }

    /// Gives back to the queue what nobody renews, until the future is dropped.
    pub(crate) async fn give_back_what_ends(&self) {
        loop {
            let (ended, next) = self.take_ended(Instant::now());
            for acker in ended {
                if let Err(error) = give_back(&acker).await {
                    // The connection is gone, and with it the broker's mind about who has the message.
                    debug!(%error, "a message could not be given back");
                }
            }
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// What is to go back now, and when to look again.
    fn take_ended(&self, now: Instant) -> (Vec<Acker>, Option<Instant>) {
        let mut table = self.lock();
        let ended: Vec<String> = table
            .claims
            .iter()
            .filter(|(_, slot)| !slot.busy && slot.held.until <= now)
            .map(|(id, _)| id.clone())
            .collect();
        let mut ackers: Vec<Acker> =
            ended.iter().filter_map(|id| table.claims.remove(id)).map(|slot| slot.held.acker).collect();
        let (due, parked) = std::mem::take(&mut table.parked).into_iter().partition(|(until, _)| *until <= now);
        table.parked = parked;
        ackers.extend(Vec::<(Instant, Acker)>::into_iter(due).map(|(_, acker)| acker));
        let claims = table.claims.values().filter(|slot| !slot.busy).map(|slot| slot.held.until);
        let next = claims.chain(table.parked.iter().map(|(until, _)| *until)).min();
        (ackers, next)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing panics between two changes, so a poisoned lock holds a whole table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Busy<'_> {
    /// Remembers that the work has begun.
    pub(crate) fn begun(&mut self, request_id: &str, begun: Begun) {
        let begun = Some((request_id.to_owned(), begun));
        if let Some(slot) = self.holdings.lock().claims.get_mut(&self.id) {
            slot.held.begun.clone_from(&begun);
        }
        self.held.begun = begun;
    }

    /// The claim is no more; its message is the caller's to acknowledge.
    pub(crate) fn end(self) -> Acker {
        self.holdings.lock().claims.remove(&self.id);
        self.held.acker.clone()
    }

    /// The claim is no more, and its message goes back to the queue at `when`.
    pub(crate) fn park(self, when: Instant) {
        let mut table = self.holdings.lock();
        table.claims.remove(&self.id);
        table.parked.push((when, self.held.acker.clone()));
        drop(table);
        self.holdings.earlier.notify_one();
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.holdings.lock().claims.get_mut(&self.id) {
            slot.busy = false;
        }
        self.holdings.earlier.notify_one();
    }
}

/// Puts a message back to where it was in the queue.
pub(crate) async fn give_back(acker: &Acker) -> lapin::Result<bool> {
    acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await
}
