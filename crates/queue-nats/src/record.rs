//! What is kept of a request: how far it is, and what a claim of it may do.

use gateway_core::{Error, ErrorKind};
use gateway_core::{RequestState, Result};
use serde::{Deserialize, Serialize};

/// How many jobs with one request id may wait for its answer elsewhere.
const MOST_OTHERS: usize = 16;

/// One request, but for its envelopes, which are kept beside it: together they might be larger than a message may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub stage: Stage,
    /// What the push is known by to the broker, should it be repeated.
    #[serde(default)]
    pub push_id: String,
    /// Whether the broker has confirmed the push.
    #[serde(default)]
    pub pushed: bool,
    /// The message whose work has begun: its place in the stream.
    #[serde(default)]
    pub sequence: u64,
    /// Which delivery of that message has it; 0 where none has.
    #[serde(default)]
    pub delivery: u64,
    /// Whether a claim that was lost has begun the work.
    #[serde(default)]
    pub begun_before: bool,
    /// Where the answer goes.
    #[serde(default)]
    pub answer_to: Option<Reader>,
    /// Where else.
    #[serde(default)]
    pub others: Vec<Reader>,
    /// Whether the answer has been handed over.
    #[serde(default)]
    pub sent: bool,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It waits.
    #[default]
    Queued,
    /// Its work has begun.
    Processing,
    /// It has been answered, and it went well.
    Completed,
    /// It has been answered, and it went wrong.
    Failed,
}

/// Somebody who waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reader {
    pub subject: String,
    pub correlation_id: String,
}

/// A delivery of a message. The server counts them, so that of two of the same message the newer one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub sequence: u64,
    pub delivery: u64,
}

/// What a claim that wants to begin finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The work is this claim's. `again`: a lost claim has begun it.
    Mine { again: bool },
    /// A newer delivery of this message has it.
    Lost,
    /// Another message has it.
    Double,
    /// It has been answered: this very message, or another one.
    Answered { this: bool },
}

impl Record {
    /// Lets a claim begin, where it may.
    pub(crate) fn begin(&mut self, claim: Delivery) -> Finding {
        let this = self.sequence == claim.sequence;
        match self.stage {
            Stage::Completed | Stage::Failed => return Finding::Answered { this },
            Stage::Queued => {}
            Stage::Processing if !this => return Finding::Double,
            Stage::Processing if self.delivery > claim.delivery => return Finding::Lost,
            Stage::Processing if self.delivery == claim.delivery => {}
            Stage::Processing => self.begun_before = true,
        }
        self.take(claim)
    }

    /// Lets a claim begin though another message had the request: that one is gone from the stream.
    pub(crate) fn inherit(&mut self, claim: Delivery) -> Finding {
        self.begun_before = true;
        self.take(claim)
    }

    fn take(&mut self, claim: Delivery) -> Finding {
        self.stage = Stage::Processing;
        self.sequence = claim.sequence;
        self.delivery = claim.delivery;
        Finding::Mine { again: self.begun_before }
    }

    /// Whether no other claim has it: this one's answer may be taken.
    pub(crate) fn is_free_for(&self, claim: Delivery) -> bool {
        self.delivery == 0 || (self.sequence, self.delivery) == (claim.sequence, claim.delivery)
    }

    /// Whether it has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Completed | Stage::Failed)
    }

    /// Remembers one more who wants the answer; says what must be done: save the record, nothing, or wait.
    pub(crate) fn add_reader(&mut self, reader: &Reader) -> Added {
        if self.reaches(&reader.subject) {
            return Added::Known;
        }
        if self.others.len() >= MOST_OTHERS {
            return Added::Full;
        }
        self.others.push(reader.clone());
        Added::New
    }

    /// Whether the answer goes to this subject anyway.
    pub(crate) fn reaches(&self, subject: &str) -> bool {
        self.answer_to.iter().chain(&self.others).any(|reader| reader.subject == subject)
    }

    pub(crate) fn encode(&self) -> Result<bytes::Bytes> {
        serde_json::to_vec(self)
            .map(Into::into)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a request's record").with_source(error))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Internal, "a request's record at NATS is broken").with_source(error))
    }

    /// What callers are told.
    pub(crate) fn state(&self) -> RequestState {
        match self.stage {
            Stage::Queued => RequestState::Queued,
            Stage::Processing => RequestState::Processing,
            Stage::Completed => RequestState::Completed,
            Stage::Failed => RequestState::Failed,
        }
    }
}

/// What became of one more who wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It gets the answer, and the record must be saved.
    New,
    /// It would have got it anyway.
    Known,
    /// Too many wait already.
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64, delivery: u64) -> Delivery {
        Delivery { sequence, delivery }
    }

    #[test]
    fn the_newest_delivery_of_the_first_message_begins() {
        let mut record = Record::default();
        assert_eq!(record.begin(at(7, 1)), Finding::Mine { again: false });
        assert_eq!(record.begin(at(7, 1)), Finding::Mine { again: false }, "a repetition");
        assert_eq!(record.begin(at(8, 1)), Finding::Double);
        assert_eq!(record.begin(at(7, 3)), Finding::Mine { again: true });
        assert_eq!(record.begin(at(7, 2)), Finding::Lost);
        assert!(record.is_free_for(at(7, 3)) && !record.is_free_for(at(7, 1)) && !record.is_free_for(at(8, 3)));
        assert_eq!(record.inherit(at(8, 1)), Finding::Mine { again: true });
        record.stage = Stage::Completed;
        assert_eq!(record.begin(at(8, 2)), Finding::Answered { this: true });
        assert_eq!(record.begin(at(9, 1)), Finding::Answered { this: false });
    }

    #[test]
    fn what_was_given_back_is_as_new_as_before() {
        let mut record = Record { stage: Stage::Queued, begun_before: true, ..Record::default() };
        assert!(record.is_free_for(at(1, 1)));
        assert_eq!(record.begin(at(7, 2)), Finding::Mine { again: true });
        assert_eq!(Record::decode(&record.encode().expect("written")).expect("read"), record);
        assert!(Record::decode(b"{}x").is_err());
    }

    #[test]
    fn readers_are_kept_once_and_not_without_end() {
        let reader = |subject: &str| Reader { subject: subject.to_owned(), correlation_id: String::new() };
        let mut record = Record { answer_to: Some(reader("main")), ..Record::default() };
        assert_eq!(record.add_reader(&reader("main")), Added::Known);
        assert_eq!(record.add_reader(&reader("other")), Added::New);
        assert_eq!(record.add_reader(&reader("other")), Added::Known);
        let added: Vec<Added> = (1..20).map(|number| record.add_reader(&reader(&number.to_string()))).collect();
        assert_eq!(added.iter().filter(|added| **added == Added::New).count(), MOST_OTHERS - 1);
        assert_eq!(added.last(), Some(&Added::Full));
    }
}
