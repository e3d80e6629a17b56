//! Cutting the client's input into lines.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::long_line::LongLine;

/// How much is asked for at once. A pipe holds 64 KiB.
const CHUNK: usize = 32 * 1024;

/// From here on the memory of a line is given back with it.
const LARGE: usize = 256 * 1024;

/// The lines of an input.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: BytesMut,
    /// How much of the buffer is known to have no line end.
    scanned: usize,
    limit: usize,
}

/// One line of the input, without its end.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Whole(Bytes),
    /// It was longer than the limit and is gone, but for what it said of itself.
    TooLong(LongLine),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self { input, buffer: BytesMut::new(), scanned: 0, limit }
    }

    /// The next line; `None` at the end of the input.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                return Ok(Some(self.take(self.scanned + found)));
            }
            self.scanned = self.buffer.len();
            if self.scanned > self.limit {
                return self.skip().await.map(Some);
            }
            if !self.read().await? {
                // A last line without an end.
                let rest = self.buffer.len();
                return Ok((rest > 0).then(|| self.take(rest)));
            }
        }
    }

    /// Reads a line to its end without keeping it.
    async fn skip(&mut self) -> io::Result<Line> {
        let mut long = LongLine::default();
        loop {
            self.scanned = 0;
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                long.read(&self.buffer[..end]);
                self.buffer.advance(end + 1);
                return Ok(Line::TooLong(long));
            }
            long.read(&self.buffer);
            self.buffer = BytesMut::new();
            if !self.read().await? {
                return Ok(Line::TooLong(long));
            }
        }
    }

    /// `false` at the end of the input.
    async fn read(&mut self) -> io::Result<bool> {
        if self.buffer.capacity() - self.buffer.len() < CHUNK / 4 {
            // Doubling, so that a large line is copied a few times only.
            self.buffer.reserve(self.buffer.len().max(CHUNK));
        }
        Ok(self.input.read_buf(&mut self.buffer).await? > 0)
    }

    fn take(&mut self, length: usize) -> Line {
        let mut line = self.buffer.split_to(length);
        if !self.buffer.is_empty() {
            self.buffer.advance(1);
        }
        self.scanned = 0;
        if line.len() >= LARGE {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        if line.len() > self.limit {
            let mut long = LongLine::default();
            long.read(&line);
            return Line::TooLong(long);
        }
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Line::Whole(line.freeze())
    }
}

#[cfg(test)]
mod tests {
    use mcp_wire::Id;

    use super::*;

    async fn read(input: impl AsyncRead + Unpin, limit: usize) -> Vec<Line> {
        let mut lines = Lines::new(input, limit);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.expect("no error in memory") {
            read.push(line);
        }
        read
    }

    #[tokio::test]
    async fn lines_end_at_line_ends_and_at_the_end() {
        let check = async |text: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(|line| Line::Whole(Bytes::from((*line).to_owned()))).collect();
            assert_eq!(read(text.as_bytes(), 5).await, expected, "{text:?}");
        };
        check("", &[]).await;
        check("a\nbc\n", &["a", "bc"]).await;
        check("a\r\n\n\r\nb", &["a", "", "", "b"]).await;
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_skipped_however_it_arrives() {
        let filling = "x".repeat(1_000_000);
        let text = format!("{{\"a\":1}}\n{{\"method\":\"m\",\"params\":[\"{filling}\"],\"id\":7}}\nend\n");
        for chunk in [1_000, 7_777, 65_536] {
            for (limit, is_long) in [(2_000_000, false), (1_000_000, true), (100, true)] {
                let (mut writer, reader) = tokio::io::duplex(chunk);
                let text = text.clone();
                let writing = async move {
                    tokio::io::AsyncWriteExt::write_all(&mut writer, text.as_bytes()).await.expect("it is read");
                };
                let ((), lines) = tokio::join!(writing, read(reader, limit));
                assert_eq!((lines.len(), &lines[2]), (3, &Line::Whole(Bytes::from_static(b"end"))));
                match &lines[1] {
                    Line::Whole(line) => assert!(!is_long && line.len() > 1_000_000),
                    Line::TooLong(long) => {
                        assert!(is_long && long.is_request());
                        assert_eq!(long.id(), Some(Id::Number(7)));
                    }
                }
            }
        }
    }
}
