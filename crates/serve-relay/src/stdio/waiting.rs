//! The client's requests that have no answer yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_wire::Id;
use tokio_util::sync::CancellationToken;

use super::said::Said;

/// Every request is in here from its coming to its answer, so that it gets exactly one.
#[derive(Debug)]
pub(super) struct Waiting {
    requests: Mutex<HashMap<Id, Arc<UnderWay>>>,
    limit: usize,
}

/// A request, or a batch of them, on its way.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// Whether it belongs to the revisions without sessions, where giving up is closing the connection.
    pub(super) is_modern: bool,
    /// Whether nothing else goes the same way.
    pub(super) is_alone: bool,
    /// Cancelled when nobody wants the answer any more.
    pub(super) given_up: CancellationToken,
    /// Cancelled when the request has been handed to a connection: what cancels it must not overtake it.
    pub(super) written: CancellationToken,
    is_cancelled: AtomicBool,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Its id is that of a request under way.
    InUse,
    /// There are too many.
    TooMany,
}

impl Waiting {
    /// A table for at most `limit` requests.
    pub(super) fn new(limit: usize) -> Self {
        Self { requests: Mutex::default(), limit }
    }

    /// Takes in all of `ids`, or none of them.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(super) fn add(&self, ids: &[Id], under_way: &Arc<UnderWay>) -> Result<(), NotTaken> {
        let mut requests = self.lock();
        let is_repeated = |at: usize, id: &Id| requests.contains_key(id) || ids[..at].contains(id);
        if ids.iter().enumerate().any(|(at, id)| is_repeated(at, id)) {
            return Err(NotTaken::InUse);
        }
        if requests.len() + ids.len() > self.limit {
            return Err(NotTaken::TooMany);
        }
        requests.extend(ids.iter().map(|id| (id.clone(), Arc::clone(under_way))));
        Ok(())
    }

    /// Whether the request waits; from now on it does not.
    pub(super) fn take(&self, id: &Id) -> bool {
        self.lock().remove(id).is_some()
    }

    /// Whether any of them waits.
    pub(super) fn any(&self, ids: &[Id]) -> bool {
        let requests = self.lock();
        ids.iter().any(|id| requests.contains_key(id))
    }

    /// Takes them out, whether they wait or not.
    pub(super) fn forget(&self, ids: &[Id]) {
        let mut requests = self.lock();
        for id in ids {
            requests.remove(id);
        }
    }

    pub(super) fn get(&self, id: &Id) -> Option<Arc<UnderWay>> {
        self.lock().get(id).cloned()
    }

    /// All that wait.
    pub(super) fn ids(&self) -> Vec<Id> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Arc<UnderWay>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// The way of `said`, which begins.
    pub(super) fn new(said: &Said) -> Self {
        Self {
            is_modern: said.modern.is_some(),
            is_alone: said.ids().len() == 1,
            given_up: CancellationToken::new(),
            written: CancellationToken::new(),
            is_cancelled: AtomicBool::new(false),
        }
    }

    /// Notes that the client has cancelled it; `false` where it had done so before.
    pub(super) fn cancel(&self) -> bool {
        !self.is_cancelled.swap(true, Ordering::AcqRel)
    }

    /// Whether the client has cancelled it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_answered_once() {
        let waiting = Waiting::new(3);
        let said = Said::read(r#"[{"id":1,"method":"a"},{"id":2,"method":"b"}]"#.into()).expect("a batch");
        let under_way = Arc::new(UnderWay::new(&said));
        assert!(!under_way.is_alone && !under_way.is_modern);
        let [one, two, three, four] = [1, 2, 3, 4].map(Id::Number);
        assert_eq!(waiting.add(&[one.clone(), two.clone()], &under_way), Ok(()));
        assert_eq!(waiting.add(&[three.clone(), two.clone()], &under_way), Err(NotTaken::InUse));
        assert_eq!(waiting.add(&[three.clone(), three.clone()], &under_way), Err(NotTaken::InUse));
        assert_eq!(waiting.add(&[three.clone(), four.clone()], &under_way), Err(NotTaken::TooMany));
        assert_eq!(waiting.add(std::slice::from_ref(&three), &under_way), Ok(()));
        assert!(waiting.take(&two) && !waiting.take(&two) && !waiting.take(&four));
        assert!(waiting.any(&[two.clone(), one.clone()]) && !waiting.any(&[two]));
        assert_eq!(waiting.ids().len(), 2);
        let under_way = waiting.get(&one).expect("it waits");
        assert!(under_way.cancel() && !under_way.cancel());
    }
}
