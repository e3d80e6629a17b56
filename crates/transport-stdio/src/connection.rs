//! What the tasks of one connection and its callers share.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_core::{Error, ErrorKind, RawJson, Result, Retry, UpstreamEvents};
use mcp_wire::{Id, Meta, Pending, code, squeeze_newlines};
use tokio::net::unix::pipe;

use crate::error::not_sent;
use crate::outbox::{Outbox, Priority};
use crate::stderr::Tail;

/// One server's connection: where messages go out, and who waits for answers.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The server's name, for logs.
    pub(crate) server: String,
    /// The process that leads the server's group.
    pub(crate) process_id: u32,
    /// The requests under way.
    pub(crate) pending: Arc<Pending>,
    /// The way to its standard input.
    pub(crate) outbox: Arc<Outbox>,
    /// Who hears what it sends of its own accord.
    pub(crate) events: Arc<dyn UpstreamEvents>,
    /// The end of its standard error.
    pub(crate) tail: Arc<Tail>,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The handshake is under way; its caller learns of an end by itself.
    Opening,
    /// An end is told to the events.
    Open,
    /// By itself.
    Died,
    /// By our will.
    Closed,
}

impl Connection {
    /// The connection over the pipe to a server's standard input.
    pub(crate) fn new(
        server: &str,
        process_id: u32,
        input: pipe::Sender,
        max_outbox_bytes: usize,
        events: Arc<dyn UpstreamEvents>,
        tail: Arc<Tail>,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(input, max_outbox_bytes));
        let pending = Pending::new({
            let outbox = Arc::clone(&outbox);
            move |id| cancel(&outbox, id)
        });
        let server = server.to_owned();
        Self { server, process_id, pending, outbox, events, tail, phase: Mutex::new(Phase::Opening) }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], safe to retry: the server has not seen it.
    pub(crate) fn send(&self, message: Vec<u8>, priority: Priority) -> Result<()> {
        self.outbox.push(line(message), priority).map_err(not_sent)
    }

    /// Answers a request of the server's.
    pub(crate) fn answer(&self, id: &Id, outcome: Result<RawJson>) {
        let mut message = Vec::new();
        match outcome {
            Ok(result) => mcp_wire::write_result(&mut message, id, &result),
            Err(error) => {
                let code = match error.kind() {
                    ErrorKind::NotFound => code::METHOD_NOT_FOUND,
                    _ => code::INTERNAL_ERROR,
                };
                mcp_wire::write_error(&mut message, id, code, error.message(), error.details());
            }
        }
        if let Err(error) = self.send(message, Priority::Control) {
            tracing::debug!(server = self.server, %error, "a server asked and gets no answer");
        }
    }

    /// The handshake is done: from now on an end is told to the events.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where it has ended already.
    pub(crate) fn open(&self) -> Result<()> {
        if self.step(Phase::Opening, Phase::Open) {
            return Ok(());
        }
        // The table knows the reason.
        self.pending.register(None).map(drop)
    }

    /// It has ended by itself.
    pub(crate) fn died(&self, reason: &Error) {
        self.pending.close(reason.duplicate());
        if self.step(Phase::Open, Phase::Died) {
            self.events.closed(reason.duplicate());
        } else {
            self.step(Phase::Opening, Phase::Died);
        }
    }

    /// It is ended by us.
    pub(crate) fn close(&self) {
        let _ = self.step(Phase::Open, Phase::Closed) || self.step(Phase::Opening, Phase::Closed);
        let reason = Error::new(ErrorKind::Unavailable, "reach the server: its connection was closed");
        self.pending.close(reason.with_retry(Retry::Safe));
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_died(&self) -> bool {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) == Phase::Died
    }

    /// Whether what the server says is still heard.
    pub(crate) fn is_heard(&self) -> bool {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) != Phase::Closed
    }

    fn step(&self, from: Phase, to: Phase) -> bool {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let right = *phase == from;
        if right {
            *phase = to;
        }
        right
    }
}

/// Tells the server that nobody waits for this answer any more.
fn cancel(outbox: &Outbox, id: i64) {
    let params = format!(r#"{{"requestId":{id},"reason":"the caller went away"}}"#);
    let params = RawJson::parse(params).expect("a number in an object is JSON");
    let mut message = Vec::new();
    mcp_wire::write_notification(&mut message, "notifications/cancelled", &params, &Meta::default());
    // A server that is gone or does not read its input cannot be told.
    let _ = outbox.push(line(message), Priority::Control);
}

fn line(mut message: Vec<u8>) -> Vec<u8> {
    squeeze_newlines(&mut message);
    message.push(b'\n');
    message
}
