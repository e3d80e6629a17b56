//! Which server names become labels.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The label of servers beyond the cap.
pub(super) const OTHER: &str = "other";

/// Hands out at most so many different labels: a caller who makes sessions with servers of ever
/// new names must not be able to fill the memory of the gateway, or that of its Prometheus.
#[derive(Debug)]
pub(super) struct Names {
    most: usize,
    known: Mutex<HashSet<String>>,
}

impl Names {
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// The label for the server called `name`.
    pub(super) fn label(&self, name: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) {
            return name.to_owned();
        }
        if known.len() >= self.most {
            return OTHER.to_owned();
        }
        known.insert(name.to_owned());
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_cap_share_a_label() {
        let names = Names::new(2);
        for (name, expected) in [("a", "a"), ("b", "b"), ("c", OTHER), ("a", "a"), ("d", OTHER)] {
            assert_eq!(names.label(name), expected);
        }
    }
}
