//! Numbers of calls.

use gateway_core::{ErrorKind, UsageCounts};
use serde::{Deserialize, Serialize};

use crate::durations::Durations;

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
            Outcome::Error(_) => self.errors += 1,
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
        self.durations.merge(&other.durations);
    }

    /// Calls that failed, in whatever way but their callers' own.
    pub(crate) fn failures(&self) -> u64 {
        self.errors.saturating_add(self.tool_errors)
    }

    /// As reports have it.
    pub(crate) fn counts(&self) -> UsageCounts {
        UsageCounts {
            calls: self.calls,
            errors: self.errors,
            tool_errors: self.tool_errors,
            cancelled: self.cancelled,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            tokens: self.characters / 4,
            latency: self.durations.latency(),
        }
    }
}
