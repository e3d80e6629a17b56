//! What the tasks of one connection and its callers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{Error, ErrorKind, RawJson, Result, Retry, UpstreamEvents};
use mcp_wire::{Id, Meta, Pending, Ticket, squeeze_newlines, write_answer, write_notification};
use tokio::net::unix::pipe;

use crate::outbox::{Outbox, Priority, Refused};
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

/// Whether the server is told of a request that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelling {
    /// As every request of a caller's.
    Told,
    /// Those of the handshake: `initialize` must not be cancelled, and a server of the legacy era does
    /// not know `server/discover`.
    Silent,
}

#[derive(Debug)]
enum Phase {
    /// The handshake is under way; its caller learns of an end by itself.
    Opening,
    /// An end is told to the events.
    Open,
    /// It has ended by itself.
    Died(Error),
    /// It is ended by us.
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

    /// Sends the request that `ticket` waits for, and returns its result.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], safe to retry, where the server has not seen it; else those of
    /// [`Ticket::wait`].
    pub(crate) async fn request(
        &self,
        mut ticket: Ticket,
        message: Vec<u8>,
        cancelling: Cancelling,
    ) -> Result<RawJson> {
        match self.outbox.push(line(message), Priority::Request) {
            // Nothing is awaited between the two, so a future that is dropped knows the truth.
            Ok(()) if cancelling == Cancelling::Told => ticket.mark_sent(),
            // The supervisor is about to find out why, and closes the table with the reason.
            Ok(()) | Err(Refused::Closed) => {}
            Err(Refused::Full) => return Err(unread()),
        }
        ticket.wait().await
    }

    /// Sends a message of which nobody hears what came of it.
    pub(crate) fn post(&self, message: Vec<u8>) -> std::result::Result<(), Refused> {
        self.outbox.push(line(message), Priority::Control)
    }

    /// Sends a notification.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where the connection has ended.
    pub(crate) async fn notify(&self, method: &str, params: &RawJson) -> Result<()> {
        let mut message = Vec::new();
        write_notification(&mut message, method, params, &Meta::default());
        match self.post(message) {
            Ok(()) => Ok(()),
            Err(Refused::Full) => Err(unread()),
            Err(Refused::Closed) => self.pending.register(None)?.wait().await.map(drop),
        }
    }

    /// Answers a request of the server's.
    pub(crate) fn answer(&self, id: &Id, outcome: &Result<RawJson>) {
        let mut message = Vec::new();
        write_answer(&mut message, id, outcome);
        if let Err(refused) = self.post(message) {
            tracing::debug!(server = self.server, ?refused, "a server asked and gets no answer");
        }
    }

    /// The handshake is done: from now on an end is told to the events.
    ///
    /// # Errors
    /// The reason where it has ended already.
    pub(crate) fn open(&self) -> Result<()> {
        let mut phase = self.lock();
        match &*phase {
            Phase::Opening => *phase = Phase::Open,
            Phase::Open => {}
            Phase::Died(reason) => return Err(reason.duplicate()),
            Phase::Closed => return Err(closed()),
        }
        Ok(())
    }

    /// It has ended by itself.
    pub(crate) fn died(&self, reason: Error) {
        let mut phase = self.lock();
        let told = match &*phase {
            Phase::Opening => false,
            Phase::Open => true,
            Phase::Died(_) | Phase::Closed => return,
        };
        self.pending.close(reason.duplicate());
        *phase = Phase::Died(reason.duplicate());
        drop(phase);
        if told {
            self.events.closed(reason);
        }
    }

    /// It is ended by us.
    pub(crate) fn close(&self) {
        let mut phase = self.lock();
        if matches!(*phase, Phase::Opening | Phase::Open) {
            self.pending.close(closed());
            *phase = Phase::Closed;
        }
    }

    /// Why it has ended by itself.
    pub(crate) fn death(&self) -> Option<Error> {
        match &*self.lock() {
            Phase::Died(reason) => Some(reason.duplicate()),
            _ => None,
        }
    }

    /// Whether what the server says of its own accord is still heard.
    pub(crate) fn is_heard(&self) -> bool {
        !matches!(*self.lock(), Phase::Closed)
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot reach the server: its connection was closed").with_retry(Retry::Safe)
}

fn unread() -> Error {
    Error::new(ErrorKind::Unavailable, "cannot reach the server: it does not read its input").with_retry(Retry::Safe)
}

/// Tells the server that nobody waits for this answer any more.
fn cancel(outbox: &Outbox, id: i64) {
    let params = format!(r#"{{"requestId":{id},"reason":"the caller went away"}}"#);
    let params = RawJson::parse(params).expect("a number in an object is JSON");
    let mut message = Vec::new();
    write_notification(&mut message, "notifications/cancelled", &params, &Meta::default());
    // A server that is gone or does not read its input cannot be told.
    let _ = outbox.push(line(message), Priority::Control);
}

fn line(mut message: Vec<u8>) -> Vec<u8> {
    squeeze_newlines(&mut message);
    message.push(b'\n');
    message
}
