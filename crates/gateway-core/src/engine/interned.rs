//! Values that are made once for all who need an equal one, for as long as somebody holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Values by a hash of what they are made of.
#[derive(Debug)]
pub(super) struct Interned<T>(Mutex<HashMap<u64, Weak<T>>>);

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Interned<T> {
    /// The value with this hash for which `is_wanted` holds, or a new one. A hash is no proof, and what
    /// stands behind it may come from somebody who looks for collisions.
    pub(super) fn get_or_make(&self, hash: u64, is_wanted: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> Arc<T> {
        let known =
            |table: &HashMap<u64, Weak<T>>| table.get(&hash).and_then(Weak::upgrade).filter(|known| is_wanted(known));
        if let Some(known) = known(&self.table()) {
            return known;
        }
        // Made without the lock: it may take milliseconds.
        let made = Arc::new(make());
        let mut table = self.table();
        if let Some(known) = known(&table) {
            return known;
        }
        table.retain(|_, value| value.strong_count() > 0);
        table.insert(hash, Arc::downgrade(&made));
        made
    }

    fn table(&self) -> MutexGuard<'_, HashMap<u64, Weak<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_made_once_and_colliding_ones_are_told_apart() {
        let interned = Interned::default();
        let get = |text: &'static str| interned.get_or_make(7, |known: &String| known == text, || text.to_owned());
        let (one, other) = (get("a"), get("b"));
        assert!(Arc::ptr_eq(&other, &get("b")));
        assert_eq!((one.as_str(), other.as_str(), get("a").as_str()), ("a", "b", "a"));
    }
}
