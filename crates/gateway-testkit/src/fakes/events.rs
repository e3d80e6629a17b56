//! What an upstream said of its own accord.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, RawJson, Result, UpstreamEvents};

/// Keeps what an upstream says of its own accord, and answers its questions as told.
#[derive(Debug, Default)]
pub struct RecordedEvents {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    notified: Vec<(String, RawJson)>,
    asked: Vec<(String, RawJson)>,
    closed: Vec<Error>,
    answers: HashMap<String, RawJson>,
}

impl RecordedEvents {
    /// Nothing seen yet, and no question known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers questions of this method so.
    #[must_use]
    pub fn with_answer(self, method: &str, result: RawJson) -> Self {
        self.seen().answers.insert(method.to_owned(), result);
        self
    }

    /// The notifications that belonged to no request, in order.
    pub fn notified(&self) -> Vec<(String, RawJson)> {
        self.seen().notified.clone()
    }

    /// How many notifications of this method came.
    pub fn count(&self, method: &str) -> usize {
        self.seen().notified.iter().filter(|(seen, _)| seen == method).count()
    }

    /// The server's questions, in order.
    pub fn asked(&self) -> Vec<(String, RawJson)> {
        self.seen().asked.clone()
    }

    /// Why the connection ended: nothing, or one reason.
    pub fn closed(&self) -> Vec<Error> {
        self.seen().closed.iter().map(Error::duplicate).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl UpstreamEvents for RecordedEvents {
    fn notified(&self, method: &str, params: RawJson) {
        self.seen().notified.push((method.to_owned(), params));
    }

    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson> {
        let mut seen = self.seen();
        seen.asked.push((method.to_owned(), params));
        let answer = seen.answers.get(method).cloned();
        answer.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("nobody answers `{method}`")))
    }

    fn closed(&self, reason: Error) {
        self.seen().closed.push(reason);
    }
}
