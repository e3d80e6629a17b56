//! Cutting a stream into lines without copying them.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is asked for at once. A pipe holds 64 KiB.
const CHUNK: usize = 32 * 1024;

/// From here on the memory of a line is given back with it.
const LARGE: usize = 256 * 1024;

/// The lines of a stream.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    buffer: BytesMut,
    /// How much of the buffer is known to have no line end.
    scanned: usize,
    limit: usize,
}

/// Why there is no next line.
#[derive(Debug)]
pub(crate) enum LineError {
    /// It is longer than the limit.
    TooLong,
    /// The stream's own error.
    Io(io::Error),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(source: R, limit: usize) -> Self {
        Self { source, buffer: BytesMut::new(), scanned: 0, limit }
    }

    /// The next line without its end; `None` at the end of the stream. Dropping the future loses
    /// nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, LineError> {
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                return self.take(self.scanned + found).map(Some);
            }
            self.scanned = self.buffer.len();
            if self.scanned > self.limit {
                return Err(LineError::TooLong);
            }
            if self.buffer.capacity() - self.buffer.len() < CHUNK / 4 {
                // Doubling, so that a large line is copied a few times only.
                self.buffer.reserve(self.buffer.len().max(CHUNK));
            }
            let count = self.source.read_buf(&mut self.buffer).await.map_err(LineError::Io)?;
            if count == 0 {
                // A last line without an end.
                let rest = self.buffer.len();
                return if rest == 0 { Ok(None) } else { self.take(rest).map(Some) };
            }
        }
    }

    /// Skips the rest of a line that is too long.
    pub(crate) async fn skip(&mut self) -> io::Result<()> {
        loop {
            self.scanned = 0;
            if let Some(found) = memchr::memchr(b'\n', &self.buffer) {
                self.buffer.advance(found + 1);
                return Ok(());
            }
            self.buffer.clear();
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    /// What there is of the line that is too long.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.buffer[..self.buffer.len().min(self.limit)]
    }

    fn take(&mut self, length: usize) -> Result<Bytes, LineError> {
        if length > self.limit {
            self.scanned = length;
            return Err(LineError::TooLong);
        }
        let mut line = self.buffer.split_to(length);
        if !self.buffer.is_empty() {
            self.buffer.advance(1);
        }
        self.scanned = 0;
        if line.len() >= LARGE {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Ok(line.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8], limit: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(text, limit);
        let mut read = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => read.push(Some(String::from_utf8_lossy(&line).into_owned())),
                Ok(None) => return read,
                Err(LineError::TooLong) => {
                    read.push(None);
                    lines.skip().await.expect("no error in memory");
                }
                Err(LineError::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn cuts_at_line_ends() {
        let check = async |text: &str, expected: &[Option<&str>]| {
            let expected: Vec<_> = expected.iter().map(|line| line.map(str::to_owned)).collect();
            assert_eq!(read(text.as_bytes(), 5).await, expected, "{text:?}");
        };
        check("", &[]).await;
        check("a\nbc\n", &[Some("a"), Some("bc")]).await;
        check("a\r\n\n\r\nb", &[Some("a"), Some(""), Some(""), Some("b")]).await;
        check("12345\n123456\n7\n", &[Some("12345"), None, Some("7")]).await;
        check("1234567890", &[None]).await;
    }

    #[tokio::test]
    async fn a_line_comes_whole_however_it_arrives() {
        let big = "x".repeat(1_000_000);
        let text = format!("{{\"a\":1}}\n{big}\nend\n");
        for chunk in [1_000, 7_777, 65_536] {
            let (mut writer, reader) = tokio::io::duplex(chunk);
            let text = text.clone();
            let task =
                tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut writer, text.as_bytes()).await });
            let mut lines = Lines::new(reader, 2_000_000);
            let mut sizes = Vec::new();
            while let Ok(Some(line)) = lines.next().await {
                sizes.push(line.len());
            }
            assert_eq!(sizes, [7, 1_000_000, 3]);
            task.await.expect("no panic").expect("written");
            assert!(lines.buffer.capacity() < LARGE, "the memory of a large line is given back");
        }
    }
}
