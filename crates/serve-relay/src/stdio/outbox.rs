//! What goes to the client: whole lines of JSON-RPC, and nothing else.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio::sync::mpsc;

/// Messages that may wait for a client that reads slowly. Whoever has more to say waits, and with it the
/// gateway's end of that stream.
const CAPACITY: usize = 64;

/// Writing that much at once is worth a copy.
const BUFFER: usize = 64 * 1024;

/// The way to the client. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Outbox(mpsc::Sender<Bytes>);

/// Room for one message.
pub(super) struct Room<'a>(mpsc::Permit<'a, Bytes>);

impl Outbox {
    /// An outbox, and what comes out of it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Bytes>) {
        let (sender, lines) = mpsc::channel(CAPACITY);
        (Self(sender), lines)
    }

    /// Waits for room; `None` where the client is gone.
    pub(super) async fn room(&self) -> Option<Room<'_>> {
        self.0.reserve().await.ok().map(Room)
    }
}

impl Room<'_> {
    /// Takes a message, one JSON text.
    pub(super) fn put(self, message: Bytes) {
        self.0.send(one_line(message));
    }
}

/// Writes every line to the client until nobody can say any more.
///
/// # Errors
/// Those of the output.
pub(super) async fn write_lines(output: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(BUFFER, output);
    while let Some(line) = lines.recv().await {
        output.write_all(&line).await?;
        output.write_all(b"\n").await?;
        if lines.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}

fn one_line(message: Bytes) -> Bytes {
    if memchr::memchr2(b'\n', b'\r', &message).is_none() {
        return message;
    }
    let mut text = Vec::from(message);
    mcp_wire::squeeze_newlines(&mut text);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_one_line() {
        let (outbox, lines) = Outbox::new();
        for message in ["{\r\n\"a\": \"\\n\"\n}", "{}"] {
            outbox.room().await.expect("room").put(Bytes::from(message));
        }
        drop(outbox);
        let mut output = Vec::new();
        write_lines(&mut output, lines).await.expect("memory takes it");
        assert_eq!(String::from_utf8(output).expect("text"), "{  \"a\": \"\\n\" }\n{}\n");
    }
}
