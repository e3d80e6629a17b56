//! Claims in this door's hands, and their leases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::Claim;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The claims that are held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<Mutex<HashMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    claim: Claim,
    lost: CancellationToken,
    /// Until when nobody else can have it: as long from when the queue was asked as a lease is, whenever it has answered.
    sure_until: Instant,
}

/// One of them: let go of when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    pub claim: Claim,
    /// Cancelled when the lease has been lost.
    pub lost: CancellationToken,
    held: Held,
}

impl Held {
    /// Holds a claim, so that its lease is renewed. It cannot be over before `sure_until`.
    pub(crate) fn hold(&self, claim: Claim, sure_until: Instant) -> Hold {
        let lost = CancellationToken::new();
        self.lock().insert(claim.id.clone(), Entry { claim: claim.clone(), lost: lost.clone(), sure_until });
        Hold { claim, lost, held: self.clone() }
    }

    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.lock().values().map(|entry| entry.claim.clone()).collect()
    }

    /// Notes that the leases of these claims, but for the lost ones, have been renewed, and tells whoever holds those.
    pub(crate) fn renewed(&self, claims: &[Claim], lost: &[String], sure_until: Instant) {
        let mut held = self.lock();
        for claim in claims {
            let Some(entry) = held.get_mut(&claim.id) else { continue };
            if lost.contains(&claim.id) {
                entry.lost.cancel();
            } else {
                entry.sure_until = entry.sure_until.max(sure_until);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Nothing panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Whether nobody else can have it, as far as this process knows by its own clock.
    pub(crate) fn is_sure(&self) -> bool {
        self.held.lock().get(&self.claim.id).is_some_and(|entry| Instant::now() < entry.sure_until)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().remove(&self.claim.id);
    }
}
