//! What a server last wrote to its standard error.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most lines that are kept of one server, and most bytes.
const MAX_LINES: usize = 40;
const MAX_BYTES: usize = 4 * 1024;

/// Longest line that is kept, in bytes.
const MAX_LINE: usize = 1024;

/// The last lines of one server, over all its connections: what a program said before it died is what
/// somebody wants to read when the next one runs.
#[derive(Debug, Default)]
pub(super) struct LastLines(Mutex<VecDeque<Box<str>>>);

impl LastLines {
    /// One more line.
    pub(super) fn push(&self, line: &str) {
        let end = (0..=MAX_LINE.min(line.len())).rfind(|at| line.is_char_boundary(*at)).unwrap_or(0);
        let line = &line[..end];
        let mut lines = self.lock();
        lines.push_back(line.into());
        let mut bytes: usize = lines.iter().map(|line| line.len()).sum();
        while lines.len() > MAX_LINES || bytes > MAX_BYTES {
            bytes -= lines.pop_front().map_or(bytes, |line| line.len());
        }
    }

    /// All of them, the oldest first.
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.lock().iter().map(ToString::to_string).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_within_bounds() {
        let lines = LastLines::default();
        assert_eq!(lines.to_vec(), Vec::<String>::new());
        for number in 0..100 {
            lines.push(&format!("line {number}"));
        }
        let kept = lines.to_vec();
        assert_eq!((kept.len(), kept[0].as_str(), kept[39].as_str()), (40, "line 60", "line 99"));
        for _ in 0..5 {
            lines.push(&"é".repeat(10_000));
        }
        let kept = lines.to_vec();
        assert_eq!(kept.len(), 4);
        assert!(kept.iter().all(|line| line.len() == MAX_LINE && line.starts_with('é')));
    }
}
