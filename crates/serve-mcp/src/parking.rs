//! Calls of legacy servers that wait for a modern client to come back with its answers.
//!
//! Such a server asks in the middle of a call and keeps the call open; a modern client cannot be asked, it gets
//! `input_required` and sends the request again. Between the two the call waits here, and nobody polls it. It
//! waits in this process: the client must come back to the same one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Question, RawJson};
use mcp_wire::Object;
use serde::Serialize;
use tokio::time::Instant;

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::input::RequestState;

/// Most calls that wait at once.
const MAX_PARKED: usize = 10_000;

/// The calls that wait.
#[derive(Debug)]
pub(crate) struct Parking {
    window: Duration,
    calls: Mutex<HashMap<String, Parked>>,
}

/// One call that waits.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) exchange: Exchange,
    /// What was asked, under the names that the answers will have.
    questions: Vec<(String, Question)>,
    until: Instant,
}

impl Parking {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, calls: Mutex::default() }
    }

    /// Lets a call wait and returns the result that tells its client what is asked.
    pub(crate) fn park(&self, exchange: Exchange, questions: Vec<Question>) -> Result<RawJson, Failure> {
        #[derive(Serialize)]
        struct Asked<'a> {
            method: &'a str,
            params: &'a RawJson,
        }
        let questions: Vec<_> = questions
            .into_iter()
            .enumerate()
            .map(|(number, question)| (format!("input-{}", number + 1), question))
            .collect();
        let mut requests = RawJson::empty_object();
        for (name, Question { method, params, .. }) in questions.iter().rev() {
            let asked = RawJson::from_value(&Asked { method, params })
                .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a question").with_source(error))?;
            requests = mcp_wire::with_member(&requests, name, asked.as_str());
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let mut calls = self.lock();
        if calls.len() >= MAX_PARKED {
            return Err(
                Error::new(ErrorKind::RateLimited, "too many calls wait for the answers of their clients").into()
            );
        }
        let result = format!(
            r#"{{"resultType":"input_required","inputRequests":{},"requestState":{}}}"#,
            requests.as_str(),
            RequestState::of_parked(&id).as_str()
        );
        calls.insert(id, Parked { exchange, questions, until: Instant::now() + self.window });
        RawJson::parse(result)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a question").with_source(error).into())
    }

    /// Takes a call out whose client came back. `is_its` says whether the request is the same one again.
    ///
    /// # Errors
    /// Where no such call waits, or it is somebody else's.
    pub(crate) fn take(&self, id: &str, is_its: impl Fn(&Exchange) -> bool) -> Result<Parked, Failure> {
        let mut calls = self.lock();
        if !calls.get(id).is_some_and(|parked| is_its(&parked.exchange)) {
            return Err(Failure::invalid("`requestState` belongs to no call that waits here; begin the request anew"));
        }
        calls.remove(id).ok_or_else(|| Failure::invalid("`requestState` was used before"))
    }

    /// Gives up the calls whose clients did not come back.
    pub(crate) fn tidy(&self) {
        let now = Instant::now();
        let over: Vec<_> = self.lock().extract_if(|_, parked| parked.until <= now).collect();
        // Dropped here, without the lock: that cancels them.
        drop(over);
    }

    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Parked>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parked {
    /// Hands the client's answers to the server and returns the call, and the questions that have no answer yet.
    pub(crate) fn answer(self, params: &Object) -> (Exchange, Vec<Question>) {
        let responses = params.get("inputResponses").map(Object::of).unwrap_or_default();
        let mut unanswered = Vec::new();
        for (name, question) in self.questions {
            match responses.get(&name).filter(|response| response.is_object()) {
                Some(response) => question.answer(Ok(response.clone())),
                None if question.is_withdrawn() => {}
                None => unanswered.push(question),
            }
        }
        (self.exchange, unanswered)
    }
}
