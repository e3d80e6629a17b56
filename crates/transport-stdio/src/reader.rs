//! Listening to a server's standard output.

use std::sync::Arc;

use bytes::Bytes;
use gateway_core::{Error, ErrorKind, RawJson, Result};
use mcp_wire::{Id, Message, cancelled_id};
use tokio::io::AsyncRead;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::task::TaskTracker;

use crate::connection::Connection;
use crate::lines::{LineError, Lines};
use crate::stderr::cut;

/// How many requests of the server's may be answered at once.
const MAX_ASKED: usize = 64;

/// How many lines in a row may be no messages. Servers print banners, and some log to the wrong
/// stream, but a program that never says a word of MCP is no server.
const MAX_NOISE: usize = 10_000;

/// How much of such a line is logged, in characters.
const SHOWN_NOISE: usize = 200;

/// Reads messages until the end of the stream.
///
/// # Errors
/// [`ErrorKind::UpstreamFailed`] where a line is larger than `limit` bytes or there is nothing but
/// noise.
pub(crate) async fn read_output(
    connection: Arc<Connection>,
    source: impl AsyncRead + Unpin,
    limit: usize,
    tracker: TaskTracker,
) -> Result<()> {
    let mut reader =
        Reader { connection, asked: JoinSet::new(), questions: Vec::new(), tracker, noise: 0, noise_bytes: 0 };
    let mut lines = Lines::new(source, limit);
    let outcome = loop {
        match lines.next().await {
            Ok(Some(line)) => {
                if let Err(error) = reader.hear(&line, limit) {
                    break Err(error);
                }
            }
            Ok(None) => break Ok(()),
            Err(LineError::Io(error)) => {
                tracing::debug!(server = reader.connection.server, %error, "reading output failed");
                break Ok(());
            }
            Err(LineError::TooLong) => {
                let message = format!(
                    "cannot read the server's output: a message is larger than {limit} bytes \
                     (`max_message_bytes` of the server)"
                );
                break Err(Error::new(ErrorKind::UpstreamFailed, message));
            }
        }
    };
    reader.asked.shutdown().await;
    outcome
}

struct Reader {
    connection: Arc<Connection>,
    /// The server's requests that are being answered.
    asked: JoinSet<()>,
    /// The same by the server's ids.
    questions: Vec<(Id, AbortHandle)>,
    tracker: TaskTracker,
    noise: usize,
    noise_bytes: usize,
}

impl Reader {
    fn hear(&mut self, line: &Bytes, limit: usize) -> Result<()> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match Message::parse(line) {
            Ok(message) => self.take(message),
            Err(_) if Message::is_batch(line) => match Message::parse_batch(line) {
                Ok(messages) => messages.into_iter().flatten().for_each(|message| self.take(message)),
                Err(_) => return self.overhear(line, limit),
            },
            Err(_) => return self.overhear(line, limit),
        }
        Ok(())
    }

    fn take(&mut self, message: Message) {
        (self.noise, self.noise_bytes) = (0, 0);
        let connection = &self.connection;
        match message {
            Message::Response { id, outcome } => {
                if !connection.pending.resolve(&id, outcome) {
                    tracing::debug!(server = connection.server, ?id, "an answer nobody waits for");
                }
            }
            _ if !connection.is_heard() => {}
            Message::Notification { method, params } if method == "notifications/cancelled" => {
                self.withdraw(&params);
            }
            Message::Notification { method, params } => {
                connection.pending.notify(method, params, &*connection.events);
            }
            Message::Request { id, method, .. } if method == "ping" => {
                connection.answer(&id, &Ok(RawJson::empty_object()));
            }
            Message::Request { id, method, params } => self.ask(id, method, params),
        }
    }

    fn ask(&mut self, id: Id, method: String, params: RawJson) {
        while let Some(done) = self.asked.try_join_next_with_id() {
            let done = done.map_or_else(|error| error.id(), |(done, ())| done);
            self.questions.retain(|(_, question)| question.id() != done);
        }
        let connection = Arc::clone(&self.connection);
        if self.asked.len() >= MAX_ASKED {
            let busy = Error::new(ErrorKind::RateLimited, "answer: too many requests at once");
            return connection.answer(&id, &Err(busy));
        }
        let question = id.clone();
        let asked = self.asked.spawn(self.tracker.track_future(async move {
            let outcome = connection.pending.ask(&method, params, &*connection.events).await;
            connection.answer(&id, &outcome);
        }));
        self.questions.push((question, asked));
    }

    /// The server no longer wants the answer to a question of its.
    fn withdraw(&self, params: &RawJson) {
        let Some(id) = cancelled_id(params) else { return };
        if let Some((_, question)) = self.questions.iter().find(|(asked, _)| *asked == id) {
            question.abort();
        }
    }

    /// A line that is no message.
    fn overhear(&mut self, line: &Bytes, limit: usize) -> Result<()> {
        self.noise += 1;
        self.noise_bytes += line.len();
        if self.noise > MAX_NOISE || self.noise_bytes > limit {
            return Err(Error::new(
                ErrorKind::UpstreamFailed,
                "cannot read the server's output: it is not JSON-RPC, so the command is no MCP server",
            ));
        }
        let connection = &self.connection;
        if tracing::enabled!(target: "upstream", tracing::Level::DEBUG) {
            let head = &line[..line.len().min(4 * SHOWN_NOISE)];
            let text = connection.tail.redact(String::from_utf8_lossy(head).into_owned());
            let excerpt = cut(&text, SHOWN_NOISE);
            let server = &connection.server;
            tracing::debug!(target: "upstream", server, ?excerpt, "output that is no message");
        }
        Ok(())
    }
}
