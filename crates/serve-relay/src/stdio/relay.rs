//! The relay of one client: what all its messages share, and which way each of them goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, ErrorKind};
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mcp_wire::{Id, Message, code, write_answer, write_error};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lines::Line;
use super::long_line::LongLine;
use super::outbox::Outbox;
use super::said::{Purpose, Said};
use super::session::{Session, Sessions};
use super::tool_headers::ToolHeaders;
use super::waiting::{NotTaken, UnderWay, Waiting};
use crate::client::Client;
use crate::config::RelayConfig;

/// Longest that a message which wants no answer may take.
const ASIDE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest that the gateway may take to end our session.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers to the gateway's questions that are on their way at the same time; more wait, and the client's input
/// with them.
const MAX_ANSWERS: usize = 64;

/// A request that was cancelled may still be answered for so long.
const CANCEL_LINGER: Duration = Duration::from_secs(5);

/// Everything that the messages of one client share.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) config: RelayConfig,
    pub(super) client: Client,
    pub(super) outbox: Outbox,
    pub(super) waiting: Waiting,
    pub(super) sessions: Sessions,
    pub(super) tool_headers: ToolHeaders,
    /// What the client waits for.
    pub(super) requests: TaskTracker,
    /// Everything else, the connections included.
    pub(super) background: TaskTracker,
    /// Cancelled when the client has said its last word, even if that is not on its way yet.
    pub(super) input_ended: CancellationToken,
    /// Ends all tasks.
    pub(super) stop: CancellationToken,
    answers: Arc<Semaphore>,
}

impl Relay {
    pub(super) fn new(config: RelayConfig, outbox: Outbox) -> Arc<Self> {
        let (background, stop) = (TaskTracker::new(), CancellationToken::new());
        Arc::new(Self {
            client: Client::new(&config, background.clone()),
            waiting: Waiting::new(config.max_requests),
            config,
            outbox,
            sessions: Sessions::default(),
            tool_headers: ToolHeaders::default(),
            requests: TaskTracker::new(),
            background,
            input_ended: stop.child_token(),
            stop,
            answers: Arc::new(Semaphore::new(MAX_ANSWERS)),
        })
    }

    /// Sends one line of the client on its way. `aside` takes what wants no answer.
    pub(super) async fn take(self: &Arc<Self>, line: Line, aside: &mpsc::Sender<Said>) {
        let text = match line {
            Line::Whole(text) if text.iter().all(u8::is_ascii_whitespace) => return,
            Line::Whole(text) => text,
            Line::TooLong(long) => return self.refuse_long(&long).await,
        };
        let said = match Said::read(text) {
            Ok(said) => said,
            Err(error) => {
                tracing::debug!(?error, "the client sent a line that is no message");
                let message = "the line is no JSON-RPC message";
                return self.say_error(&Id::null(), code::PARSE_ERROR, message).await;
            }
        };
        match said.purpose.clone() {
            Purpose::Initialize(id) => self.initialize(said, id).await,
            Purpose::Request(_) | Purpose::Subscribe(_) => self.start(said).await,
            Purpose::Initialized => self.initialized(said).await,
            Purpose::Cancel(id) => match self.waiting.get(&id) {
                Some(under_way) => self.cancel(said, &id, under_way),
                // It has its answer. Where there is a session, let the gateway judge.
                None if self.sessions.current().is_some() => self.send_aside(said, aside).await,
                None => {}
            },
            Purpose::Notification => self.send_aside(said, aside).await,
            Purpose::Answer => self.answer(said).await,
        }
    }

    /// Delivers what wants no answer, one after the other, until nobody sends any more.
    pub(super) async fn deliver_asides(self: &Arc<Self>, mut asides: mpsc::Receiver<Said>) {
        while let Some(said) = asides.recv().await {
            self.deliver_aside(&said).await;
        }
    }

    /// Answers with an error whatever waits.
    pub(super) async fn give_up(&self) {
        let error = Error::new(ErrorKind::Unavailable, "the relay has ended before the gateway answered");
        self.fail(&self.waiting.ids(), &error).await;
    }

    /// Ends the session at the gateway.
    pub(super) async fn leave(&self) {
        let Some(session) = self.sessions.current() else { return };
        match tokio::time::timeout(LEAVE_TIMEOUT, self.end_session(&session)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the session was not ended at the gateway"),
            Err(_) => tracing::debug!("the gateway did not end the session in time"),
        }
    }

    /// Answers those of `ids` that wait with `error`.
    pub(super) async fn fail(&self, ids: &[Id], error: &Error) {
        for id in ids {
            let Some(room) = self.outbox.room().await else { return };
            if self.waiting.take(id) {
                tracing::warn!(?error, "a request failed");
                let mut text = Vec::new();
                write_answer(&mut text, id, &Err(error.duplicate()));
                room.put(text.into());
            }
        }
    }

    async fn say_error(&self, id: &Id, code: i64, message: &str) {
        let mut text = Vec::new();
        write_error(&mut text, id, code, message, None);
        if let Some(room) = self.outbox.room().await {
            room.put(text.into());
        }
    }

    /// Tells whoever waits for a message that it was too long.
    async fn refuse_long(self: &Arc<Self>, long: &LongLine) {
        let message = format!("the message is longer than relay.max_message_bytes ({})", self.config.max_message_bytes);
        tracing::warn!("{message}");
        let id = long.id();
        if long.is_request() || id.is_none() {
            return self.say_error(&id.unwrap_or_else(Id::null), code::INVALID_REQUEST, &message).await;
        }
        // An answer to the gateway: it must not wait for what will never come.
        let mut text = Vec::new();
        write_error(&mut text, &id.unwrap_or_else(Id::null), code::INTERNAL_ERROR, &message, None);
        self.answer(Said { text: text.into(), purpose: Purpose::Answer, modern: None, lists_tools: false }).await;
    }

    /// Takes a request in, or says why not.
    async fn admit(&self, said: &Said) -> Option<Arc<UnderWay>> {
        let ids = said.ids();
        let under_way = Arc::new(UnderWay::new(said));
        let message = match self.waiting.add(ids, &under_way) {
            Ok(()) => return Some(under_way),
            Err(NotTaken::InUse) => "a request with this id is under way".to_owned(),
            Err(NotTaken::TooMany) => {
                format!("{} requests are under way (relay.max_requests); wait for answers", self.config.max_requests)
            }
        };
        for id in ids {
            self.say_error(id, code::INVALID_REQUEST, &message).await;
        }
        None
    }

    /// Carries a request in a task of its own.
    async fn start(self: &Arc<Self>, said: Said) {
        let Some(under_way) = self.admit(&said).await else { return };
        let tracker = match said.purpose {
            // It has no end, so nobody must wait for it.
            Purpose::Subscribe(_) => &self.background,
            _ => &self.requests,
        };
        let relay = Arc::clone(self);
        tracker.spawn(async move {
            let carried = tokio::select! {
                biased;
                // Whoever stops the relay answers what waits.
                () = relay.stop.cancelled() => return,
                () = under_way.given_up.cancelled() => None,
                carried = relay.carry(&said, &under_way.written) => Some(carried),
            };
            match carried {
                Some(Ok(())) => {}
                Some(Err(error)) if !under_way.is_cancelled() => relay.fail(said.ids(), &error).await,
                // Nobody wants an answer (2025-11-25, "Cancellation").
                Some(Err(_)) | None => relay.waiting.forget(said.ids()),
            }
        });
    }

    /// Carries `initialize`. Whatever the client sends next waits: it needs the session.
    async fn initialize(self: &Arc<Self>, said: Said, id: Id) {
        if self.admit(&said).await.is_none() {
            return;
        }
        let opened = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            opened = self.open(&said.text, &id) => opened,
        };
        if let Err(error) = opened {
            self.fail(std::slice::from_ref(&id), &error).await;
        }
    }

    /// Delivers `notifications/initialized`. Whatever the client sends next waits: many servers refuse requests
    /// that overtake it.
    async fn initialized(self: &Arc<Self>, said: Said) {
        self.sessions.confirm(said.text.clone());
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            () = self.deliver_aside(&said) => {}
        }
        if let Some(session) = self.sessions.current() {
            self.listen(&session);
        }
    }

    /// Gives up a request.
    fn cancel(self: &Arc<Self>, said: Said, id: &Id, under_way: Arc<UnderWay>) {
        if !under_way.is_alone {
            tracing::debug!("one request of a batch is cancelled; its answer is dropped");
            self.waiting.take(id);
        } else if under_way.is_modern {
            under_way.given_up.cancel();
            return;
        }
        if !under_way.cancel() {
            return;
        }
        let relay = Arc::clone(self);
        self.requests.spawn(async move {
            let cancelling = async {
                let _late = tokio::time::timeout(ASIDE_TIMEOUT, under_way.written.cancelled()).await;
                relay.deliver_aside(&said).await;
            };
            if relay.stop.run_until_cancelled(cancelling).await.is_some() && under_way.is_alone {
                relay.forget_soon(under_way);
            }
        });
    }

    /// Ends the way of a request that the gateway knows to be cancelled, answered or not: many servers end such a
    /// request without ending its stream.
    fn forget_soon(&self, under_way: Arc<UnderWay>) {
        let input_ended = self.input_ended.clone();
        self.background.spawn(async move {
            let _ended = input_ended.run_until_cancelled(tokio::time::sleep(CANCEL_LINGER)).await;
            under_way.given_up.cancel();
        });
    }

    async fn send_aside(&self, said: Said, aside: &mpsc::Sender<Said>) {
        // The other end ends with the relay.
        let _ended = aside.send(said).await;
    }

    /// Delivers the answer to a question of the gateway.
    async fn answer(self: &Arc<Self>, said: Said) {
        let place = Arc::clone(&self.answers).acquire_owned().await.expect("nobody closes the semaphore");
        let relay = Arc::clone(self);
        self.requests.spawn(async move {
            let _place = place;
            let _stopped = relay.stop.run_until_cancelled(relay.deliver_aside(&said)).await;
        });
    }

    async fn deliver_aside(self: &Arc<Self>, said: &Said) {
        match tokio::time::timeout(ASIDE_TIMEOUT, self.tell(said)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(?error, "the gateway did not take a message of the client"),
            Err(_) => tracing::warn!("the gateway did not take a message of the client in time"),
        }
    }

    /// Passes on a message of the gateway. `ids` are those of the request in whose answer it came.
    pub(super) async fn pass_on(&self, text: Bytes, ids: &[Id]) {
        let message = match Message::parse(&text) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(?error, "the gateway sent what is no message"),
        };
        let Some(room) = self.outbox.room().await else { return };
        match message {
            Message::Request { .. } | Message::Notification { .. } => room.put(text),
            Message::Response { id, .. } if self.waiting.take(&id) => room.put(text),
            // An error without an id answers the request that it came for: its id was not read.
            Message::Response { id, outcome: Err(said) } if id == Id::null() => match ids {
                [only] if self.waiting.take(only) => {
                    let mut text = Vec::new();
                    write_answer(&mut text, only, &Err(mcp_wire::upstream_error(said)));
                    room.put(text.into());
                }
                _ => tracing::debug!("an error that answers nothing"),
            },
            Message::Response { id, .. } => tracing::debug!(?id, "an answer that nobody waits for"),
        }
    }

    /// Tells the client, after a session was opened anew, that lists may have changed.
    pub(super) async fn tell_of_changes(&self, session: &Session) {
        for method in &session.lists {
            let Some(room) = self.outbox.room().await else { return };
            room.put(Bytes::from(format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)));
        }
    }

    /// Reads a short answer that nobody needs to its end, so that its connection can serve again.
    pub(super) async fn drain(&self, response: Response<Incoming>) {
        let body = http_body_util::Limited::new(response.into_body(), 64 * 1024);
        // One that is long costs the connection, and nothing else.
        let _rest = tokio::time::timeout(Duration::from_secs(1), body.collect()).await;
    }
}
