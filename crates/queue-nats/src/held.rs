//! Claims in this gateway's hands.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::HeaderMap;
use async_nats::jetstream::message::Acker;
use gateway_core::{Begun, Claim};
use std::sync::Arc;
use tokio::time::Instant;

use crate::record::Delivery;

/// A message that this gateway has taken and not acknowledged.
#[derive(Clone)]
pub(crate) struct Held {
    pub acker: Arc<Acker>,
    pub delivery: Delivery,
    pub headers: Arc<HeaderMap>,
    /// When the lease ends; the server's own clock for it runs not earlier than ours.
    pub until: Instant,
    /// The request whose work has begun, and what was said then.
    pub begun: Option<(String, Begun)>,
    /// When its record was written last.
    pub written: Instant,
}

impl Held {
    /// What an answer is found by: the producer's correlation id, or else the request's id.
    pub(crate) fn correlation_id(&self, request_id: &str) -> String {
        let own = self.headers.get(CORRELATION_ID).map(async_nats::HeaderValue::as_str);
        own.filter(|own| !own.is_empty() && own.len() <= 255).unwrap_or(request_id).to_owned()
    }
}

/// The header of a job by which its answer is to be found.
pub(crate) const CORRELATION_ID: &str = "Correlation-Id";

/// The claims by their ids.
#[derive(Default)]
pub(crate) struct Holdings(Mutex<HashMap<String, Held>>);

impl Holdings {
    /// Adds a claim. Those whose lease has ended go with that: the server gives them to others by itself.
    pub(crate) fn insert(&self, id: String, held: Held) {
        let now = Instant::now();
        let mut claims = self.lock();
        claims.retain(|_, held| held.until > now);
        claims.insert(id, held);
    }

    /// A claim, unless it is lost.
    pub(crate) fn get(&self, claim: &Claim) -> Option<Held> {
        let now = Instant::now();
        self.lock().get(&claim.id).filter(|held| held.until > now && claim.token == claim.id).cloned()
    }

    /// Changes a claim that is there.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.lock().get_mut(id) {
            change(held);
        }
    }

    pub(crate) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        // Nothing panics between two changes, so a poisoned lock holds a whole table.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
