//! Reading `text/event-stream`, piece by piece (WHATWG HTML, section 9.2.6).

use std::time::Duration;

use bytes::Bytes;

/// A parser of one stream. Give it pieces with [`push`](Self::push), then take messages with
/// [`next_message`](Self::next_message), or all events with [`next_event`](Self::next_event), until there
/// is none.
///
/// An event that lies in one piece with one `data` line, which is the rule, is a slice of that piece.
///
/// ```
/// use mcp_wire::sse::Parser;
///
/// let mut parser = Parser::new(1024);
/// parser.push("event: endpoint\ndata: /messages\n\ndata: {}\n\n".into());
/// let event = parser.next_event()?.expect("a whole event");
/// assert_eq!((&*event.name, &*event.data), (b"endpoint".as_slice(), b"/messages".as_slice()));
/// assert_eq!(parser.next_message()?.as_deref(), Some(b"{}".as_slice()));
/// assert_eq!(parser.next_message()?, None);
/// # Ok::<(), mcp_wire::sse::TooLong>(())
/// ```
#[derive(Debug)]
pub struct Parser {
    /// Largest line and largest event, in bytes.
    limit: usize,
    /// What has come and has not been read.
    piece: Bytes,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The last line ended with CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has been read, so that a byte order mark may come.
    at_start: bool,
    name: Bytes,
    data: Data,
    id: Option<String>,
    last_event_id: Option<String>,
    retry: Option<Duration>,
}

/// One event that has data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its type; empty where the stream names none.
    pub name: Bytes,
    /// Its data, which is not empty.
    pub data: Bytes,
}

/// What the stream said is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    Line(Bytes),
    Lines(Vec<u8>),
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Parser {
    /// A parser at the start of a stream, for lines and events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            piece: Bytes::new(),
            partial: Vec::new(),
            after_cr: false,
            at_start: true,
            name: Bytes::new(),
            data: Data::None,
            id: None,
            last_event_id: None,
            retry: None,
        }
    }

    /// Gives it the next piece of the stream. All events of the piece before must have been taken.
    pub fn push(&mut self, piece: Bytes) {
        debug_assert!(self.piece.is_empty(), "the piece before has been read");
        self.piece = piece;
    }

    /// The data of the next message; `None` where more pieces are needed. Events of other types are
    /// passed over.
    ///
    /// # Errors
    /// Where a line or an event is longer than the limit. The stream cannot be read any further.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, TooLong> {
        while let Some(event) = self.next_event()? {
            if event.is_message() {
                return Ok(Some(event.data));
            }
        }
        Ok(None)
    }

    /// The next event of any type that has data; `None` where more pieces are needed.
    ///
    /// # Errors
    /// Where a line or an event is longer than the limit. The stream cannot be read any further.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                self.field(&line)?;
                continue;
            }
            if self.id.is_some() {
                self.last_event_id = self.id.take();
            }
            let name = std::mem::take(&mut self.name);
            let data = match std::mem::take(&mut self.data) {
                Data::None => continue,
                Data::Line(line) => line,
                Data::Lines(lines) => lines.into(),
            };
            if !data.is_empty() {
                return Ok(Some(Event { name, data }));
            }
        }
        Ok(None)
    }

    /// The id of the last whole event that had one: where the stream can be taken up again.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref().filter(|id| !id.is_empty())
    }

    /// How long the server wants us to wait before we take the stream up again.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Result<Option<Bytes>, TooLong> {
        if std::mem::take(&mut self.after_cr) {
            match self.piece.first() {
                Some(b'\n') => drop(self.piece.split_to(1)),
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        let Some(end) = memchr::memchr2(b'\n', b'\r', &self.piece) else {
            let rest = std::mem::take(&mut self.piece);
            if self.partial.len() + rest.len() > self.limit {
                return Err(TooLong);
            }
            self.partial.extend_from_slice(&rest);
            return Ok(None);
        };
        let mut line = self.piece.split_to(end);
        if self.partial.len() + line.len() > self.limit {
            return Err(TooLong);
        }
        self.after_cr = self.piece.split_to(1)[0] == b'\r';
        if !self.partial.is_empty() {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(&line);
            line = whole.into();
        }
        if std::mem::take(&mut self.at_start) && line.starts_with(BYTE_ORDER_MARK) {
            line = line.slice(BYTE_ORDER_MARK.len()..);
        }
        Ok(Some(line))
    }

    fn field(&mut self, line: &Bytes) -> Result<(), TooLong> {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let mut value = line.slice((colon + 1).min(line.len())..);
        if value.first() == Some(&b' ') {
            value = value.slice(1..);
        }
        match &line[..colon] {
            b"data" => return self.add_data(value),
            b"event" => self.name = value,
            b"id" if !value.contains(&0) => {
                self.id = std::str::from_utf8(&value).ok().map(str::to_owned);
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let milliseconds = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                self.retry = milliseconds.map(Duration::from_millis).or(self.retry);
            }
            // A comment, which keeps the connection alive, or a field of the future.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: Bytes) -> Result<(), TooLong> {
        let mut lines = match std::mem::take(&mut self.data) {
            Data::None => {
                self.data = Data::Line(value);
                return Ok(());
            }
            Data::Line(first) => Vec::from(first),
            Data::Lines(lines) => lines,
        };
        if lines.len() + value.len() >= self.limit {
            return Err(TooLong);
        }
        lines.push(b'\n');
        lines.extend_from_slice(&value);
        self.data = Data::Lines(lines);
        Ok(())
    }
}

impl Event {
    /// Whether it is a message, which is what an event is that names no type.
    pub fn is_message(&self) -> bool {
        self.name.is_empty() || *self.name == *b"message"
    }
}

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a line or an event of the stream is longer than the limit")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events and last id of a stream that comes in pieces of `size` bytes.
    fn read(stream: &str, size: usize) -> (Vec<String>, Option<String>, Option<Duration>) {
        let mut parser = Parser::new(1000);
        let mut events = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            parser.push(Bytes::copy_from_slice(piece));
            while let Some(data) = parser.next_message().expect("within the limit") {
                events.push(String::from_utf8(data.to_vec()).expect("text"));
            }
        }
        (events, parser.last_event_id().map(str::to_owned), parser.retry())
    }

    #[test]
    fn streams_are_read_alike_however_they_are_cut() {
        let check = |stream: &str, events: &[&str], id: Option<&str>| {
            for size in [1, 2, 3, 5, 7, 1000] {
                let (found, last, _) = read(stream, size);
                assert_eq!(
                    (found.iter().map(String::as_str).collect::<Vec<_>>(), last.as_deref()),
                    (events.to_vec(), id),
                    "{stream:?} in pieces of {size}"
                );
            }
        };
        check("data: a\n\ndata:b\n\n", &["a", "b"], None);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", &["a", "b", "c"], None);
        check("\u{feff}data: a\n\n\u{feff}data: b\n\n", &["a"], None);
        check("event: message\nid: 7\ndata: {\ndata:  1}\n\n", &["{\n 1}"], Some("7"));
        check(": hello\n\n:\n\ndata\n\nid\nnothing: x\ndata: é\n\n", &["é"], None);
        check("event: ping\ndata: a\n\ndata: b\n\nevent\ndata: c\n\n", &["b", "c"], None);
        check("id: 1\ndata:\n\nid: 2\ndata: unfinished\n", &[], Some("1"));
        check("id: 1\n\nid: a\0b\n\n", &[], Some("1"));
        check("id: 1\n\nid:\ndata: x\n\n", &["x"], None);
    }

    #[test]
    fn events_of_other_types_can_be_had() {
        let mut parser = Parser::new(1000);
        parser.push(Bytes::from_static(b"event: endpoint\ndata: /m\n\nevent: message\ndata: 1\n\ndata: 2\n\n"));
        let mut events = Vec::new();
        while let Some(event) = parser.next_event().expect("within the limit") {
            events.push((event.name.to_vec(), event.data.to_vec(), event.is_message()));
        }
        let event = |name: &str, data: &str, is_message| (name.into(), data.into(), is_message);
        assert_eq!(events, [event("endpoint", "/m", false), event("message", "1", true), event("", "2", true)]);
    }

    #[test]
    fn retry_takes_digits_only() {
        assert_eq!(read("retry: 1500\nretry: 1x\nretry: -3\n", 4).2, Some(Duration::from_millis(1500)));
        assert_eq!(read("retry: 99999999999999999999999\n", 4).2, None);
    }

    #[test]
    fn one_line_of_data_is_a_slice() {
        let piece = Bytes::from_static(b"event: message\r\ndata: {\"a\":1}\r\n\r\n");
        let mut parser = Parser::new(1000);
        parser.push(piece.clone());
        let data = parser.next_message().expect("short").expect("an event");
        assert!(piece.as_ptr_range().contains(&data.as_ptr()));
    }

    #[test]
    fn what_is_too_long_ends_the_reading() {
        let endless = |piece: &'static [u8]| {
            let mut parser = Parser::new(100);
            (0..1000).any(|_| {
                parser.push(Bytes::from_static(piece));
                loop {
                    match parser.next_message() {
                        Ok(None) => return false,
                        Ok(Some(_)) => {}
                        Err(TooLong) => return true,
                    }
                }
            })
        };
        assert!(endless(b"xxxxxxxxxx"), "a line without end");
        assert!(endless(b"data: x\n"), "an event without end");
        assert!(endless(b"data:\n"), "an event of empty lines without end");
        assert!(!endless(b"data: x\n\n"));
        assert!(!endless(b": comment\n"));
    }
}
