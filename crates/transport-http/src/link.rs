//! What all requests of one connection share, and how the server's messages find their way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Era, Error, ErrorKind, Listener, Notification, RawJson, Result, UpstreamEvents};
use http::Request;
use http_body_util::Full;
use mcp_wire::sse::Parser;
use mcp_wire::{Id, Message, Outcome, Pending, cancelled_id, means_lost_session, upstream_error, write_answer};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::{Answer, Kind};
use crate::error;
use crate::pool::Pool;
use crate::speech::Speech;

/// Questions of a server that are answered at the same time; more are left unanswered.
const MAX_QUESTIONS: usize = 32;

/// Longest that a message which nobody waits for may take.
const ASIDE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long we wait before a stream that broke off is taken up again, where the server does not say.
const RESUME_DELAY: Duration = Duration::from_secs(1);

/// Shortest and longest such wait, whatever the server says.
const RESUME_DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// Attempts to take up a stream, one after the other without an event between.
const MAX_FRUITLESS_RESUMES: u32 = 5;

/// One connection to a server, seen from inside.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) pool: Arc<Pool>,
    pub(crate) events: Arc<dyn UpstreamEvents>,
    pub(crate) pending: Arc<Pending>,
    /// All tasks and requests of this connection.
    pub(crate) tasks: TaskTracker,
    /// Ends them.
    pub(crate) ended: CancellationToken,
    /// Ends the streams that listen to the server, and nothing else.
    pub(crate) listening: CancellationToken,
    max_message_bytes: usize,
    is_lost: AtomicBool,
    /// Questions that are being answered, by the server's ids.
    questions: Mutex<Vec<(Id, CancellationToken)>>,
    places: Arc<Semaphore>,
}

/// A question of the server's, and the caller in whose stream it came.
struct Asked {
    id: Id,
    method: String,
    params: RawJson,
    listener: Option<Listener>,
}

impl Link {
    pub(crate) fn new(
        pool: Arc<Pool>,
        events: Arc<dyn UpstreamEvents>,
        pending: Arc<Pending>,
        max_message_bytes: usize,
    ) -> Arc<Self> {
        let ended = CancellationToken::new();
        Arc::new(Self {
            pool,
            events,
            pending,
            tasks: TaskTracker::new(),
            listening: ended.child_token(),
            ended,
            max_message_bytes,
            is_lost: AtomicBool::new(false),
            questions: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_QUESTIONS)),
        })
    }

    /// The connection can serve no more: later requests fail, and the engine hears it once.
    pub(crate) fn lose(&self, reason: Error) {
        if self.abandon(&reason) {
            self.events.closed(reason);
        }
    }

    /// Refuses later requests for this reason without telling the engine. `false` where the connection
    /// was lost or abandoned before.
    pub(crate) fn abandon(&self, reason: &Error) -> bool {
        self.pending.close(reason.duplicate());
        self.listening.cancel();
        !self.is_lost.swap(true, Ordering::AcqRel)
    }

    /// A parser for a stream of this server.
    pub(crate) fn parser(&self) -> Parser {
        Parser::new(self.max_message_bytes)
    }

    /// Sends a message that wants no answer.
    ///
    /// # Errors
    /// Where the server cannot be reached or refuses it.
    pub(crate) async fn tell(&self, speech: &Speech, message: Vec<u8>) -> Result<()> {
        let answer = self.pool.send(speech.say(message), || ()).await?;
        if !answer.status().is_success() {
            return Err(Box::pin(self.refusal(speech, answer)).await);
        }
        answer.drain(&self.tasks);
        Ok(())
    }

    /// Reads the answer to the request `id` until its result is there.
    ///
    /// # Errors
    /// The server's error; or it broke the protocol or the connection.
    pub(crate) async fn read(
        self: &Arc<Self>,
        speech: &Arc<Speech>,
        answer: Answer,
        id: i64,
        listener: Option<&Listener>,
    ) -> Result<RawJson> {
        if !answer.status().is_success() {
            return Err(Box::pin(self.refusal(speech, answer)).await);
        }
        match answer.kind()? {
            Kind::Json => {
                let text = answer.whole(self.max_message_bytes).await?;
                match self.sort(speech, &text, Some(id), listener)? {
                    Some(outcome) => outcome.map_err(upstream_error),
                    None => {
                        Err(error::protocol("cannot get an answer: the server answered something that was not asked"))
                    }
                }
            }
            Kind::EventStream => Box::pin(self.follow(speech, answer, id, listener)).await,
            Kind::Other => Err(error::protocol(format!(
                "cannot get an answer: the server sent neither JSON nor events (status {})",
                answer.status().as_u16()
            ))),
        }
    }

    /// Follows the stream that answers the request `id`, and its continuations.
    async fn follow(
        self: &Arc<Self>,
        speech: &Arc<Speech>,
        mut answer: Answer,
        id: i64,
        listener: Option<&Listener>,
    ) -> Result<RawJson> {
        let mut last_event_id: Option<String> = None;
        let mut fruitless = 0;
        loop {
            let mut parser = self.parser();
            let broken = loop {
                match answer.piece().await {
                    Ok(Some(piece)) => parser.push(piece),
                    Ok(None) => {
                        break error::protocol("cannot get an answer: the server ended the stream without one")
                            .with_retry(gateway_core::Retry::IfIdempotent);
                    }
                    Err(broken) => break broken,
                }
                while let Some(text) = self.next_event(&mut parser)? {
                    let sorted = self.sort(speech, &text, Some(id), listener);
                    if let Some(outcome) = sorted.unwrap_or_else(|error| ignore(&error)) {
                        answer.drain(&self.tasks);
                        return outcome.map_err(upstream_error);
                    }
                }
            };
            match parser.last_event_id() {
                Some(reached) => {
                    last_event_id = Some(reached.to_owned());
                    fruitless = 0;
                }
                None => fruitless += 1,
            }
            let may_resume = speech.era() == Era::Legacy && fruitless <= MAX_FRUITLESS_RESUMES;
            let Some(resume_after) = last_event_id.as_deref().filter(|_| may_resume) else {
                return Err(broken);
            };
            answer = self.resume(speech, resume_after, parser.retry()).await?;
        }
    }

    /// Takes up a stream that broke off (2025-11-25, "Resumability and Redelivery").
    async fn resume(&self, speech: &Speech, last_event_id: &str, delay: Option<Duration>) -> Result<Answer> {
        let (shortest, longest) = RESUME_DELAYS;
        tokio::time::sleep(delay.unwrap_or(RESUME_DELAY).clamp(shortest, longest)).await;
        let unsure = |error: Error| {
            let message = format!("cannot take up the answer again: {}", error.message());
            Error::new(ErrorKind::UpstreamFailed, message)
                .with_retry(gateway_core::Retry::IfIdempotent)
                .with_source(error)
        };
        let answer = self.pool.send(speech.listen(Some(last_event_id)), || ()).await.map_err(unsure)?;
        if !answer.status().is_success() {
            return Err(unsure(answer.refusal().await.0));
        }
        match answer.kind()? {
            Kind::EventStream => Ok(answer),
            _ => Err(unsure(error::protocol("the server does not continue the stream"))),
        }
    }

    /// The next message of a stream.
    pub(crate) fn next_event(&self, parser: &mut Parser) -> Result<Option<Bytes>> {
        parser.next_message().map_err(|_| error::too_large(self.max_message_bytes))
    }

    /// Sends each message of `text` where it belongs; returns the answer to the request `id` if it is
    /// among them.
    ///
    /// # Errors
    /// Where the text is no message.
    pub(crate) fn sort(
        self: &Arc<Self>,
        speech: &Arc<Speech>,
        text: &Bytes,
        id: Option<i64>,
        listener: Option<&Listener>,
    ) -> Result<Option<Outcome>> {
        if !Message::is_batch(text) {
            return Ok(self.route(speech, Message::parse(text)?, id, listener));
        }
        let mut found = None;
        for message in Message::parse_batch(text)? {
            match message {
                Ok(message) => found = self.route(speech, message, id, listener).or(found),
                Err(error) => tracing::debug!(%error, "a member of a batch cannot be read"),
            }
        }
        Ok(found)
    }

    fn route(
        self: &Arc<Self>,
        speech: &Arc<Speech>,
        message: Message,
        id: Option<i64>,
        listener: Option<&Listener>,
    ) -> Option<Outcome> {
        match message {
            Message::Response { id: answered, outcome } => {
                // An error without an id answers the request that it came for: its id was not read.
                let is_ours = answered.as_number() == id || (outcome.is_err() && answered == Id::null());
                if id.is_some() && is_ours {
                    return Some(outcome);
                }
                tracing::debug!(?answered, "an answer that nobody waits for");
            }
            Message::Notification { method, params } => match listener {
                Some(listener) if method == "notifications/progress" => {
                    let _ = listener.deliver(Notification { method, params });
                }
                Some(listener) if method == "notifications/message" => {
                    let _ = listener.deliver(Notification { method, params });
                }
                _ if method == "notifications/cancelled" => self.withdraw(&params),
                _ => self.pending.notify(method, params, &*self.events),
            },
            Message::Request { id, method, params } => {
                self.question(speech, Asked { id, method, params, listener: listener.cloned() });
            }
        }
        None
    }

    /// Answers a question of the server beside everything else.
    fn question(self: &Arc<Self>, speech: &Arc<Speech>, asked: Asked) {
        let Asked { id, method, params, listener } = asked;
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(method, "a server asks too much at once; a question stays unanswered");
            return;
        };
        let withdrawn = self.ended.child_token();
        self.questions().push((id.clone(), withdrawn.clone()));
        let (link, speech) = (Arc::clone(self), Arc::clone(speech));
        let answering = async move {
            let _permit = permit;
            let asking = async {
                match &listener {
                    _ if method == "ping" => Ok(RawJson::empty_object()),
                    // It came in the stream of this request.
                    Some(listener) if listener.client().is_some() => listener.ask(&method, params).await,
                    Some(_) => link.events.asked(&method, params).await,
                    None => link.pending.ask(&method, params, &*link.events).await,
                }
            };
            let answer = withdrawn.run_until_cancelled(asking).await;
            link.questions().retain(|(asked, _)| *asked != id);
            let Some(answer) = answer else { return };
            let mut message = Vec::new();
            write_answer(&mut message, &id, &answer);
            match tokio::time::timeout(ASIDE_TIMEOUT, link.tell(&speech, message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, method, "an answer was not taken"),
                Err(_) => tracing::debug!(method, "an answer was not taken in time"),
            }
        };
        self.tasks.spawn(self.ended.clone().run_until_cancelled_owned(answering));
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

    /// The error for an answer that says no. Notices a lost session.
    pub(crate) async fn refusal(&self, speech: &Speech, answer: Answer) -> Error {
        let status = answer.status();
        let (error, text) = answer.refusal().await;
        let said = match Message::parse(&text) {
            Ok(Message::Response { outcome: Err(said), .. }) => Some(said),
            _ => None,
        };
        if speech.has_session() && means_lost_session(status, said.as_ref()) {
            let lost = error::session_lost();
            self.lose(lost.duplicate());
            return lost;
        }
        match said {
            // The status says more than the text that comes with it.
            Some(said) if matches!(status.as_u16(), 401 | 403 | 429 | 502..=504) => error.with_details(said.raw),
            Some(said) => upstream_error(said).with_context("status", status.as_str()),
            None => error,
        }
    }

    /// Sends a request of ours and reads its answer, while the connection lasts.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        speech: &Arc<Speech>,
        request: Request<Full<Bytes>>,
        id: i64,
        listener: Option<&Listener>,
        written: impl FnMut(),
    ) -> Result<RawJson> {
        let answer = self.pool.send(request, written).await?;
        self.read(speech, answer, id, listener).await
    }
}

/// An event that is no message says nothing; what it should have said will be missed soon enough.
fn ignore(error: &Error) -> Option<Outcome> {
    tracing::debug!(%error, "an event cannot be read");
    None
}
