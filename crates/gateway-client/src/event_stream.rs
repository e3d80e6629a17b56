//! The events of a call.

use std::collections::VecDeque;

use reqwest::Response;
use serde_json::value::RawValue;

use crate::error::refusal;
use crate::{Error, Result, ToolReply};

/// One event of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallEvent {
    /// The `params` of a progress notification.
    Progress(Box<RawValue>),
    /// The `params` of a log message.
    Log(Box<RawValue>),
    /// The answer: the last event.
    Result(Box<ToolReply>),
}

/// The events of a call, in the order in which the server sent them. Dropping it cancels the call.
#[derive(Debug)]
pub struct CallEvents {
    response: Response,
    lines: Lines,
    event: Event,
    ready: VecDeque<Event>,
    ended: bool,
}

impl CallEvents {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, lines: Lines::default(), event: Event::default(), ready: VecDeque::new(), ended: false }
    }

    /// The next event; `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Refused`] where the call failed, [`Error::Connection`] where the stream broke,
    /// [`Error::Unexpected`] where it ended without a result. Nothing comes after an error.
    pub async fn next(&mut self) -> Result<Option<CallEvent>> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                match self.read(&event) {
                    Ok(None) => {}
                    read => return read,
                }
            }
            if self.ended {
                return Ok(None);
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.take(&chunk),
                Ok(None) => {
                    self.ended = true;
                    return Err(Error::Unexpected("the event stream ended without a result".to_owned()));
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error.into());
                }
            }
        }
    }

    /// Passes over what the tool tells on the way and gives its answer.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub async fn result(mut self) -> Result<ToolReply> {
        while let Some(event) = self.next().await? {
            if let CallEvent::Result(reply) = event {
                return Ok(*reply);
            }
        }
        Err(Error::Unexpected("the event stream has ended already".to_owned()))
    }

    fn take(&mut self, chunk: &[u8]) {
        let (event, ready) = (&mut self.event, &mut self.ready);
        self.lines.take(chunk, |line| {
            if line.is_empty() {
                let event = std::mem::take(event);
                // A block without data is a comment.
                if event.has_data {
                    ready.push_back(event);
                }
            } else {
                event.take(line);
            }
        });
    }

    /// Turns an event of the wire into one of ours; `None` for one that this client does not know.
    fn read(&mut self, event: &Event) -> Result<Option<CallEvent>> {
        let unexpected =
            |error: serde_json::Error| Error::Unexpected(format!("an event is not as it should be: {error}"));
        let read = match event.name.as_slice() {
            b"progress" => serde_json::from_slice(&event.data).map(CallEvent::Progress),
            b"log" => serde_json::from_slice(&event.data).map(CallEvent::Log),
            b"result" => {
                self.ended = true;
                serde_json::from_slice(&event.data).map(CallEvent::Result)
            }
            b"error" => {
                self.ended = true;
                return Err(refusal(0, None, &event.data));
            }
            _ => return Ok(None),
        };
        read.map(Some).map_err(|error| {
            self.ended = true;
            unexpected(error)
        })
    }
}

/// An event as the wire has it.
#[derive(Debug, Default)]
struct Event {
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

impl Event {
    fn take(&mut self, line: &[u8]) {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.name = value.to_vec(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            _ => {}
        }
    }
}

/// Cuts a stream of bytes into lines, which end in LF, CR or both.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    after_cr: bool,
}

impl Lines {
    fn take(&mut self, mut chunk: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let is_second_half = self.after_cr && end == 0 && self.rest.is_empty() && chunk[0] == b'\n';
            self.after_cr = chunk[end] == b'\r';
            if is_second_half {
                chunk = &chunk[1..];
                continue;
            }
            if self.rest.is_empty() {
                line(&chunk[..end]);
            } else {
                self.rest.extend_from_slice(&chunk[..end]);
                line(&self.rest);
                self.rest.clear();
            }
            chunk = &chunk[end + 1..];
        }
        if !chunk.is_empty() {
            self.after_cr = false;
            self.rest.extend_from_slice(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways_and_anywhere() {
        let text = b"a\nb\r\nc\rd\r\r\n\n\ne";
        let expected = ["a", "b", "c", "d", "", "", ""];
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for chunk in text.chunks(size) {
                lines.take(chunk, |line| found.push(String::from_utf8(line.to_vec()).unwrap()));
            }
            assert_eq!(found, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn fields_make_an_event() {
        let mut event = Event::default();
        for line in ["event: log", ": comment", "data: {", "data:  \"a\":1", "data:}", "id: 7", "data"] {
            event.take(line.as_bytes());
        }
        assert_eq!((event.name.as_slice(), event.data.as_slice()), (&b"log"[..], &b"{\n \"a\":1\n}\n"[..]));
    }
}
