//! Why a tool was found.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

/// Why a tool was found, in one line: the words or the meaning that matched. Reads like a `str`.
///
/// Many tools are ranked and few are shown, and words cost more than scores: a router that has to work for its reasons
/// leaves that to whoever [reads](Self::when_read) them. A plain `String` will do for others: `line.into()`.
#[derive(Clone)]
pub struct Reasoning(Arc<Line>);

type Line = LazyLock<Box<str>, Box<dyn FnOnce() -> Box<str> + Send>>;

impl Reasoning {
    /// What `write` writes, once, if ever it is read.
    pub fn when_read(write: impl FnOnce() -> String + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(move || write().into()))))
    }
}

impl Deref for Reasoning {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reasoning {
    fn from(line: String) -> Self {
        Self::when_read(move || line)
    }
}

impl From<&str> for Reasoning {
    fn from(line: &str) -> Self {
        line.to_owned().into()
    }
}

impl PartialEq for Reasoning {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<str> for Reasoning {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Reasoning {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Reasoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Reasoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn is_written_when_it_is_first_read_and_once() {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&written);
        let reasoning = Reasoning::when_read(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            "because".to_owned()
        });
        let copy = reasoning.clone();
        assert_eq!(written.load(Ordering::SeqCst), 0);
        assert_eq!(reasoning, "because");
        assert_eq!(copy, Reasoning::from("because"));
        assert_eq!(format!("{copy} {copy:?}"), "because \"because\"");
        assert_eq!(written.load(Ordering::SeqCst), 1);
    }
}
