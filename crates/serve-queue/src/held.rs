//! Claims in this door's hands, and their leases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::Claim;
use tokio_util::sync::CancellationToken;

/// The claims that are held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Arc<Mutex<HashMap<String, (Claim, CancellationToken)>>>);

/// One of them: let go of when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    pub claim: Claim,
    /// Cancelled when the lease has been lost.
    pub lost: CancellationToken,
    held: Held,
}

impl Held {
    /// Holds a claim, so that its lease is renewed.
    pub(crate) fn hold(&self, claim: Claim) -> Hold {
        let lost = CancellationToken::new();
        self.lock().insert(claim.id.clone(), (claim.clone(), lost.clone()));
        Hold { claim, lost, held: self.clone() }
    }

    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.lock().values().map(|(claim, _)| claim.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Tells whoever holds this claim that it is lost.
    pub(crate) fn lose(&self, id: &str) {
        if let Some((_, lost)) = self.lock().get(id) {
            lost.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Claim, CancellationToken)>> {
        // Nothing panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().remove(&self.claim.id);
    }
}
