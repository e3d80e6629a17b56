//! What is kept of a request, since AMQP keeps nothing: how it is written, and what a claim of it may do.

use bytes::{Bytes, BytesMut};
use gateway_core::{Error, ErrorKind, RequestRecord, RequestState, Result};
use serde::{Deserialize, Serialize};

/// How many jobs with one request id may wait for its answer elsewhere; more wait in the queue until it is there.
const MOST_OTHERS: usize = 16;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub head: Head,
    /// The job's envelope.
    pub request: Option<Bytes>,
    /// The response envelope.
    pub response: Option<Bytes>,
}

/// All of a record but its envelopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub stage: Stage,
    /// Whether the broker has confirmed the push.
    #[serde(default)]
    pub pushed: bool,
    /// The claim whose work has begun.
    #[serde(default)]
    pub token: Option<String>,
    /// Until when that claim holds, in Unix milliseconds.
    #[serde(default)]
    pub leased_until: u64,
    /// Whether a claim that was lost has begun the work.
    #[serde(default)]
    pub begun_before: bool,
    /// Where the answer goes.
    #[serde(default)]
    pub answer_to: Option<Reader>,
    /// Where else.
    #[serde(default)]
    pub others: Vec<Reader>,
    /// Whether the broker has confirmed the answer.
    #[serde(default)]
    pub sent: bool,
    /// How long the request is in what follows.
    #[serde(default)]
    request_len: Option<usize>,
    #[serde(default)]
    response_len: Option<usize>,
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
    pub queue: String,
    pub correlation_id: String,
}

/// What a claim that wants to begin finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The work is this claim's. `again`: a lost claim has begun it.
    Mine { again: bool },
    /// Another claim holds it, until then (Unix milliseconds), and this may be the message of that claim.
    Held { until: u64 },
    /// Another message is the one that has begun, or was begun and waits for its next claim.
    Double,
    /// It has been answered.
    Answered,
}

/// A claim that wants to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// Which.
    pub token: &'a str,
    /// Whether its message was delivered before. One that never was is not the one that another claim has begun.
    pub redelivered: bool,
    /// Unix milliseconds.
    pub now: u64,
    /// When its lease ends, in Unix milliseconds.
    pub until: u64,
    /// For how many milliseconds after its lease a message is expected to come again. After that the broker has lost it.
    pub patience: u64,
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

impl Record {
    /// Lets a claim begin, where it may.
    pub(crate) fn begin(&mut self, asking: Asking<'_>) -> Finding {
        let Asking { token, redelivered, now, until, patience } = asking;
        let head = &mut self.head;
        match head.stage {
            Stage::Completed | Stage::Failed => return Finding::Answered,
            Stage::Queued => {}
            Stage::Processing if head.token.as_deref() == Some(token) => {}
            Stage::Processing if redelivered && head.leased_until > now => {
                return Finding::Held { until: head.leased_until };
            }
            Stage::Processing if !redelivered && head.leased_until.saturating_add(patience) > now => {
                return Finding::Double;
            }
            Stage::Processing => head.begun_before = true,
        }
        head.stage = Stage::Processing;
        head.token = Some(token.to_owned());
        head.leased_until = until;
        Finding::Mine { again: head.begun_before }
    }

    /// Whether no other claim has it: this one's answer may be taken.
    pub(crate) fn is_free_for(&self, token: &str) -> bool {
        self.head.token.as_deref().is_none_or(|holder| holder == token)
    }

    /// Whether nothing has been done for it.
    pub(crate) fn is_waiting(&self) -> bool {
        self.head.stage == Stage::Queued
    }

    /// Whether it has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.head.stage, Stage::Completed | Stage::Failed)
    }

    /// Remembers one more who wants the answer.
    pub(crate) fn add_reader(&mut self, reader: &Reader) -> Added {
        if self.reaches(&reader.queue) {
            return Added::Known;
        }
        if self.head.others.len() >= MOST_OTHERS {
            return Added::Full;
        }
        self.head.others.push(reader.clone());
        Added::New
    }

    /// Whether the answer goes to this queue anyway.
    pub(crate) fn reaches(&self, queue: &str) -> bool {
        self.head.answer_to.iter().chain(&self.head.others).any(|reader| reader.queue == queue)
    }

    /// As a store keeps it: the head as a line of JSON, then the envelopes as they are.
    pub(crate) fn encode(&self) -> Result<Bytes> {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map(Bytes::len);
        let head =
            Head { request_len: length(&self.request), response_len: length(&self.response), ..self.head.clone() };
        let head = serde_json::to_vec(&head)
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a request's record").with_source(error))?;
        let mut bytes = BytesMut::from(head.as_slice());
        bytes.extend_from_slice(b"\n");
        for envelope in [&self.request, &self.response].into_iter().flatten() {
            bytes.extend_from_slice(envelope);
        }
        Ok(bytes.freeze())
    }

    /// What [`encode`](Self::encode) wrote.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self> {
        let broken = || Error::new(ErrorKind::Internal, "a request's record in the store is broken");
        // JSON has no bare line break in it.
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
        let line = bytes.split_to(end);
        let _line_break = bytes.split_to(1);
        let mut head: Head = serde_json::from_slice(&line).map_err(|error| broken().with_source(error))?;
        let mut envelope = |length: Option<usize>| match length {
            None => Ok(None),
            Some(length) if length <= bytes.len() => Ok(Some(bytes.split_to(length))),
            Some(_) => Err(broken()),
        };
        let request = envelope(head.request_len.take())?;
        let response = envelope(head.response_len.take())?;
        Ok(Self { head, request, response })
    }

    /// What callers are told.
    pub(crate) fn tell(self) -> RequestRecord {
        let state = match self.head.stage {
            Stage::Queued => RequestState::Queued,
            Stage::Processing => RequestState::Processing,
            Stage::Completed => RequestState::Completed,
            Stage::Failed => RequestState::Failed,
        };
        RequestRecord { request: self.request, state, response: self.response }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(queue: &str) -> Reader {
        Reader { queue: queue.to_owned(), correlation_id: "c".to_owned() }
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let binary = Bytes::from_static(b"\x00\n\xff{\"a\":\n1}");
        for (request, response) in [(None, None), (Some(binary.clone()), None), (Some(Bytes::new()), Some(binary))] {
            let mut record = Record { request, response, ..Record::default() };
            record.head.token = Some("a\nb".to_owned());
            record.head.others.push(reader("q"));
            assert_eq!(Record::decode(record.encode().expect("written")).expect("read"), record);
        }
    }

    #[test]
    fn broken_records_are_errors() {
        for bytes in ["", "{}", "x\n", "{\"stage\":\"queued\",\"request_len\":9}\nshort"] {
            assert!(Record::decode(Bytes::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn one_claim_at_a_time_begins() {
        let fresh = |token, now, until| Asking { token, redelivered: false, now, until, patience: 1000 };
        let again = |token, now, until| Asking { redelivered: true, ..fresh(token, now, until) };
        let mut record = Record::default();
        assert_eq!(record.begin(fresh("a", 100, 200)), Finding::Mine { again: false });
        assert_eq!(record.begin(fresh("a", 150, 250)), Finding::Mine { again: false }, "a repetition");
        assert_eq!(record.begin(again("b", 249, 400)), Finding::Held { until: 250 });
        assert_eq!(record.begin(fresh("c", 249, 400)), Finding::Double);
        assert_eq!(record.begin(fresh("c", 250, 400)), Finding::Double, "the first one is expected to come again");
        assert!(record.is_free_for("a") && !record.is_free_for("b"));
        assert_eq!(record.begin(again("b", 250, 400)), Finding::Mine { again: true });
        assert!(!record.is_free_for("a"));
        assert_eq!(record.begin(again("b", 260, 410)), Finding::Mine { again: true }, "a repetition");
        assert_eq!(record.begin(fresh("c", 1409, 1500)), Finding::Double);
        assert_eq!(record.begin(fresh("c", 1410, 1500)), Finding::Mine { again: true }, "the first one is lost");
        record.head.stage = Stage::Failed;
        assert_eq!(record.begin(again("d", 9000, 9999)), Finding::Answered);
    }

    #[test]
    fn readers_are_kept_once_and_not_without_end() {
        let mut record = Record::default();
        record.head.answer_to = Some(reader("main"));
        assert_eq!(record.add_reader(&reader("main")), Added::Known);
        assert_eq!(record.add_reader(&reader("other")), Added::New);
        assert_eq!(record.add_reader(&reader("other")), Added::Known);
        let added: Vec<Added> = (1..20).map(|number| record.add_reader(&reader(&number.to_string()))).collect();
        assert_eq!(added.iter().filter(|added| **added == Added::New).count(), MOST_OTHERS - 1);
        assert_eq!(added.last(), Some(&Added::Full));
    }
}
