//! Numbers of calls.

use std::cmp::Reverse;

use gateway_core::{ErrorKind, UsageCounts};
use serde::{Deserialize, Serialize};

use crate::durations::Durations;

/// The kinds of errors. Chunks name a kind by its place: new ones go to the end.
const KINDS: [ErrorKind; 14] = [
    ErrorKind::InvalidRequest,
    ErrorKind::Unauthenticated,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::Conflict,
    ErrorKind::TooLarge,
    ErrorKind::InvalidArguments,
    ErrorKind::RateLimited,
    ErrorKind::Cancelled,
    ErrorKind::DeadlineExceeded,
    ErrorKind::UpstreamFailed,
    ErrorKind::Unavailable,
    ErrorKind::UpstreamTimeout,
    ErrorKind::Internal,
];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a result.
    Ok,
    /// With a result that says that the tool failed.
    ToolError,
    /// Its caller went away.
    Cancelled,
    /// With an error.
    Error(ErrorKind),
}

/// What is counted of a call, whatever it is counted under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    /// Of arguments and result.
    pub(crate) characters: u64,
    pub(crate) took_us: u64,
}

/// Numbers of calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    /// The place of a kind in [`KINDS`], and how often it came; only those that came.
    errors_by_kind: Vec<(u8, u64)>,
    pub(crate) tool_errors: u64,
    cancelled: u64,
    request_bytes: u64,
    response_bytes: u64,
    characters: u64,
    pub(crate) durations: Durations,
}

impl Outcome {
    /// Of a call that ended with an error of this kind.
    pub(crate) fn of_error(kind: ErrorKind) -> Self {
        if kind == ErrorKind::Cancelled { Self::Cancelled } else { Self::Error(kind) }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ToolError => "tool_error",
            Self::Cancelled => ErrorKind::Cancelled.as_str(),
            Self::Error(kind) => kind.as_str(),
        }
    }
}

impl Tally {
    /// Adds one call.
    pub(crate) fn add(&mut self, call: &Measured) {
        self.calls += 1;
        match call.outcome {
            Outcome::Ok => {}
            Outcome::ToolError => self.tool_errors += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Error(kind) => {
                self.errors += 1;
                self.add_errors(place_of(kind), 1);
            }
        }
        self.request_bytes = self.request_bytes.saturating_add(call.request_bytes);
        self.response_bytes = self.response_bytes.saturating_add(call.response_bytes);
        self.characters = self.characters.saturating_add(call.characters);
        self.durations.record(call.took_us);
    }

    /// Adds all calls of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        // What others wrote may be any number.
        let sums: [(&mut u64, u64); 7] = [
            (&mut self.calls, other.calls),
            (&mut self.errors, other.errors),
            (&mut self.tool_errors, other.tool_errors),
            (&mut self.cancelled, other.cancelled),
            (&mut self.request_bytes, other.request_bytes),
            (&mut self.response_bytes, other.response_bytes),
            (&mut self.characters, other.characters),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for &(place, times) in &other.errors_by_kind {
            self.add_errors(place, times);
        }
        self.durations.merge(&other.durations);
    }

    fn add_errors(&mut self, place: u8, times: u64) {
        match self.errors_by_kind.iter_mut().find(|(known, _)| *known == place) {
            Some((_, sum)) => *sum = sum.saturating_add(times),
            // A place that is none comes from a newer process, or from a chunk that is damaged.
            None if usize::from(place) < KINDS.len() => self.errors_by_kind.push((place, times)),
            None => {}
        }
    }

    /// Calls that failed, in whatever way but their callers' own.
    pub(crate) fn failures(&self) -> u64 {
        self.errors.saturating_add(self.tool_errors)
    }

    /// As reports have it.
    pub(crate) fn counts(&self) -> UsageCounts {
        let kind = |&(place, times): &(u8, u64)| Some((*KINDS.get(usize::from(place))?, times));
        let mut errors_by_kind: Vec<_> = self.errors_by_kind.iter().filter_map(kind).collect();
        errors_by_kind.sort_unstable_by_key(|(kind, times)| (Reverse(*times), kind.as_str()));
        UsageCounts {
            calls: self.calls,
            errors: self.errors,
            errors_by_kind,
            tool_errors: self.tool_errors,
            cancelled: self.cancelled,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            tokens: self.characters / 4,
            latency: self.durations.latency(),
        }
    }
}

fn place_of(kind: ErrorKind) -> u8 {
    let place = KINDS.iter().position(|&known| known == kind);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_kind() {
        let call = |outcome| Measured { outcome, request_bytes: 0, response_bytes: 0, characters: 0, took_us: 1 };
        let mut tally = Tally::default();
        for kind in KINDS.into_iter().chain([ErrorKind::Internal, ErrorKind::Cancelled]) {
            tally.add(&call(Outcome::of_error(kind)));
        }
        let mut both = tally.clone();
        both.merge(&tally);
        let counts = both.counts();
        assert_eq!((counts.calls, counts.errors, counts.cancelled), (32, 28, 4));
        assert_eq!(counts.errors_by_kind.iter().map(|(_, times)| times).sum::<u64>(), 28);
        assert_eq!(counts.errors_by_kind[..2], [(ErrorKind::Internal, 4), (ErrorKind::Conflict, 2)]);
        // Every kind but `Cancelled`, which is no error.
        assert_eq!(counts.errors_by_kind.len(), KINDS.len() - 1);

        let mut odd = Tally { errors_by_kind: vec![(200, 5)], ..Tally::default() };
        assert_eq!(odd.counts().errors_by_kind, []);
        odd.merge(&Tally { errors_by_kind: vec![(77, 5)], ..Tally::default() });
        assert_eq!(odd.errors_by_kind, [(200, 5)]);
    }
}
