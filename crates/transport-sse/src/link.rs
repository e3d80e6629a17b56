//! What all requests of one connection share, and how the server's messages find their way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, RawJson, Result, TraceContext, UpstreamEvents};
use http::Uri;
use mcp_wire::{Id, Message, Meta, Pending, Ticket, cancelled_id, write_answer, write_notification};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::client::{Http, Posted, Stream, Tasks};
use crate::error;

/// Questions of a server that are answered at the same time; more are left unanswered.
const MAX_QUESTIONS: usize = 32;

/// Longest that a message which nobody waits for may take.
const ASIDE_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection to a server, seen from inside.
#[derive(Debug)]
pub(crate) struct Link {
    http: Http,
    endpoint: Uri,
    events: Arc<dyn UpstreamEvents>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) tasks: Tasks,
    /// Ends with the server's stream; the tasks may still say what became of their requests.
    hearing: CancellationToken,
    phase: Mutex<Phase>,
    /// Questions that are being answered, by the server's ids.
    questions: Mutex<Vec<(Id, CancellationToken)>>,
    places: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The handshake is under way; its caller learns of an end by itself.
    Opening,
    /// An end is told to the events.
    Open,
    Ended,
}

/// A message on its way to the server.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Vec<u8>,
    /// Its place in a trace, which the server is told in headers, too.
    pub(crate) trace: Option<TraceContext>,
}

impl From<Vec<u8>> for Outgoing {
    fn from(message: Vec<u8>) -> Self {
        Self { message, trace: None }
    }
}

impl Link {
    pub(crate) fn new(http: Http, endpoint: Uri, events: Arc<dyn UpstreamEvents>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            http,
            endpoint,
            events,
            // The task that carries a request tells of its cancellation.
            pending: Pending::new(|_| {}),
            hearing: tasks.ended.child_token(),
            tasks,
            phase: Mutex::new(Phase::Opening),
            questions: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        })
    }

    /// The handshake is done: from now on an end is told to the events.
    ///
    /// # Errors
    /// The reason where it has ended already.
    pub(crate) fn open(&self) -> Result<()> {
        let mut phase = self.phase();
        if *phase == Phase::Ended {
            return self.pending.register(None).map(drop);
        }
        *phase = Phase::Open;
        Ok(())
    }

    /// The connection can serve no more: later requests fail, and the engine hears it once.
    fn lose(&self, reason: Error) {
        if self.end(&reason) == Phase::Open {
            self.events.closed(reason);
        }
    }

    /// We end the connection: later requests fail, and the engine hears nothing.
    pub(crate) fn close(&self) {
        self.end(&error::closed());
    }

    /// Refuses later requests for this reason, and returns how far the connection was.
    fn end(&self, reason: &Error) -> Phase {
        self.pending.close(reason.duplicate());
        self.hearing.cancel();
        std::mem::replace(&mut *self.phase(), Phase::Ended)
    }

    /// Starts the task that hears the server until its stream ends.
    pub(crate) fn listen(self: &Arc<Self>, mut stream: Stream) {
        let link = Arc::clone(self);
        let hearing = self.hearing.clone();
        self.tasks.tracker.spawn(hearing.run_until_cancelled_owned(async move {
            let reason = loop {
                match stream.next().await {
                    Ok(Some(event)) if event.is_message() => link.hear(&event.data),
                    Ok(Some(_)) => {}
                    Ok(None) => break error::stream_lost(None),
                    Err(error) => break error,
                }
            };
            link.lose(reason);
        }));
    }

    /// Carries a request from its POST to its answer, which goes to the caller. A caller who goes away
    /// before cancels it.
    pub(crate) async fn carry(
        self: Arc<Self>,
        ticket: Ticket,
        outgoing: Outgoing,
        mut caller: oneshot::Sender<Result<RawJson>>,
    ) {
        let id = ticket.id();
        let mut answer = Box::pin(ticket.wait());
        let mut posting = Box::pin(self.post(outgoing));
        // Whether the server has taken it, once that is known.
        let mut is_taken = None;
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut answer => break Some(outcome),
                posted = &mut posting, if is_taken.is_none() => {
                    is_taken = Some(posted.is_ok());
                    if let Err(error) = posted {
                        break Some(Err(error));
                    }
                }
                () = caller.closed() => break None,
            }
        };
        // From here on a late answer is thrown away.
        drop(answer);
        let is_given_up = outcome.is_none();
        // A caller who has gone at this very moment has nothing left to cancel.
        let _ = outcome.map(|outcome| caller.send(outcome));
        // A cancellation must not overtake its request.
        let is_taken = match is_taken {
            Some(is_taken) => is_taken,
            None => !matches!(tokio::time::timeout(ASIDE_TIMEOUT, posting).await, Ok(Err(_))),
        };
        if is_given_up && is_taken {
            self.tell_cancelled(id).await;
        }
    }

    /// Sends a message. Returns when the server has taken it.
    ///
    /// # Errors
    /// Where it cannot be reached, or refuses it.
    pub(crate) async fn post(&self, outgoing: Outgoing) -> Result<()> {
        let Outgoing { message, trace } = outgoing;
        match self.http.post(&self.endpoint, message, trace.as_ref()).await? {
            Posted::Taken => Ok(()),
            Posted::SessionLost => {
                let lost = error::session_lost();
                self.lose(lost.duplicate());
                Err(lost)
            }
        }
    }

    /// The same for a message that wants no answer, within a time of its own.
    ///
    /// # Errors
    /// Those of [`post`](Self::post), or the time is over.
    pub(crate) async fn tell(&self, message: Vec<u8>) -> Result<()> {
        let telling = tokio::time::timeout(ASIDE_TIMEOUT, self.post(message.into()));
        telling.await.unwrap_or_else(|_| Err(error::not_taken(ASIDE_TIMEOUT)))
    }

    async fn tell_cancelled(&self, id: i64) {
        let params = format!(r#"{{"requestId":{id},"reason":"the caller gave up"}}"#);
        let params = RawJson::parse(params).expect("a number in a fixed text is JSON");
        let mut message = Vec::new();
        write_notification(&mut message, "notifications/cancelled", &params, &Meta::default());
        if let Err(error) = self.tell(message).await {
            tracing::debug!(%error, id, "the server was not told of a cancellation");
        }
    }

    /// Takes one event, which is a message or, in the revision 2025-03-26, a batch of them.
    fn hear(self: &Arc<Self>, text: &Bytes) {
        let messages = if Message::is_batch(text) {
            Message::parse_batch(text).unwrap_or_else(|error| vec![Err(error)])
        } else {
            vec![Message::parse(text)]
        };
        for message in messages {
            match message {
                Ok(message) => self.route(message),
                Err(error) => tracing::debug!(%error, "an event cannot be read"),
            }
        }
    }

    fn route(self: &Arc<Self>, message: Message) {
        match message {
            Message::Response { id, outcome } => {
                if !self.pending.resolve(&id, outcome) {
                    tracing::debug!(?id, "an answer that nobody waits for");
                }
            }
            Message::Notification { method, params } if method == "notifications/cancelled" => self.withdraw(&params),
            Message::Notification { method, params } => self.pending.notify(method, params, &*self.events),
            Message::Request { id, method, params } => self.question(id, method, params),
        }
    }

    /// Answers a question of the server beside everything else.
    fn question(self: &Arc<Self>, id: Id, method: String, params: RawJson) {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(method, "a server asks too much at once; a question stays unanswered");
            return;
        };
        let withdrawn = self.hearing.child_token();
        self.questions().push((id.clone(), withdrawn.clone()));
        let link = Arc::clone(self);
        self.tasks.spawn(async move {
            let _permit = permit;
            let asking = async {
                match method.as_str() {
                    "ping" => Ok(RawJson::empty_object()),
                    _ => link.pending.ask(&method, params, &*link.events).await,
                }
            };
            let answer = withdrawn.run_until_cancelled(asking).await;
            link.questions().retain(|(asked, _)| *asked != id);
            let Some(answer) = answer else { return };
            let mut message = Vec::new();
            write_answer(&mut message, &id, &answer);
            if let Err(error) = link.tell(message).await {
                tracing::debug!(%error, method, "an answer was not taken");
            }
        });
    }

    /// The server no longer wants the answer to a question of its.
    fn withdraw(&self, params: &RawJson) {
        let Some(id) = cancelled_id(params) else { return };
        if let Some((_, question)) = self.questions().iter().find(|(asked, _)| *asked == id) {
            question.cancel();
        }
    }

    fn questions(&self) -> MutexGuard<'_, Vec<(Id, CancellationToken)>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
