//! State that belongs to one live server.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use gateway_core::Server;

/// Fewest entries at which looking for dead servers is worth its time.
const SMALLEST_SWEEP: usize = 64;

/// A value for each live server, made when the server is first seen and dropped some time after the
/// server is gone. A server that replaces another one of the same name begins anew.
#[derive(Debug)]
pub(crate) struct PerServer<T> {
    entries: DashMap<u64, Entry<T>>,
    /// How many entries the last sweep left.
    swept_len: AtomicUsize,
}

#[derive(Debug)]
struct Entry<T> {
    server: Weak<Server>,
    value: Arc<T>,
}

impl<T> Default for PerServer<T> {
    fn default() -> Self {
        Self { entries: DashMap::new(), swept_len: AtomicUsize::new(0) }
    }
}

impl<T> PerServer<T> {
    /// The server's value; `make` makes it where the server is seen for the first time.
    pub(crate) fn of(&self, server: &Arc<Server>, make: impl FnOnce(&Server) -> T) -> Arc<T> {
        if let Some(entry) = self.entries.get(&server.id()) {
            return Arc::clone(&entry.value);
        }
        self.sweep_if_grown();
        let entry = self
            .entries
            .entry(server.id())
            .or_insert_with(|| Entry { server: Arc::downgrade(server), value: Arc::new(make(server)) });
        Arc::clone(&entry.value)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn sweep_if_grown(&self) {
        if self.entries.len() >= SMALLEST_SWEEP.max(self.swept_len.load(Relaxed) * 2) {
            self.entries.retain(|_, entry| entry.server.strong_count() > 0);
            self.swept_len.store(self.entries.len(), Relaxed);
        }
    }
}
