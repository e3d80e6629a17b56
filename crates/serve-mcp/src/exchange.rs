//! One request under way: its work, and what comes out of it for the client in the meantime.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gateway_core::{Listener, Notification, Question, RawJson, Secret};
use mcp_wire::{Id, Meta, write_notification, write_result};
use tokio::sync::mpsc;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::client::Client;
use crate::core::{Core, Request};
use crate::failure::Failure;
use crate::methods;
use crate::session::{Session, UnderWay};
use crate::source::{Piece, Source};

type Work = Pin<Box<dyn Future<Output = Result<RawJson, Failure>> + Send>>;

/// A request under way. Nothing happens unless it is polled; dropping it cancels it, upstream included.
pub(crate) struct Exchange {
    id: Id,
    core: Arc<Core>,
    client: Arc<Client>,
    session: Option<Arc<Session>>,
    progress_token: Option<RawJson>,
    work: Option<Work>,
    outcome: Option<Result<RawJson, Failure>>,
    heard: Option<Heard>,
    /// Numbers of the questions that a legacy client was asked for it.
    asked: Vec<i64>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Its place among the session's requests.
    under_way: Option<UnderWay>,
    /// What must be the same where a client comes back to it.
    identity: Option<Identity>,
}

struct Heard {
    notifications: mpsc::Receiver<Notification>,
    questions: mpsc::Receiver<Question>,
}

impl Heard {
    /// The next notification that is there. Once the answer is, too, there is no later poll, so tokio's budget,
    /// which makes a full channel look empty, must not count.
    fn next_notification(&mut self, is_answered: bool, task: &mut Context<'_>) -> Option<Notification> {
        match self.notifications.poll_recv(task) {
            Poll::Ready(notification) => notification,
            Poll::Pending if is_answered => self.notifications.try_recv().ok(),
            Poll::Pending => None,
        }
    }
}

/// What makes a repeated request the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    token: Option<Secret>,
    session_id: Option<String>,
    method: String,
    /// `name` or `uri`.
    about: Option<RawJson>,
    arguments: Option<RawJson>,
}

impl Identity {
    /// That of a modern request; a legacy one is never repeated.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let Request { sender, params, .. } = request;
        request.client.is_modern().then(|| Self {
            token: sender.credentials.token.clone(),
            session_id: sender.session_id.clone(),
            method: request.method.clone(),
            about: params.get("name").or_else(|| params.get("uri")).cloned(),
            arguments: params.get("arguments").cloned(),
        })
    }
}

impl Exchange {
    /// Begins a request. Where the client `can_hear` what comes before the answer, progress and log messages
    /// reach it, and it can be asked.
    pub(crate) fn begin(mut request: Request, id: Id, can_hear: bool) -> Self {
        let (core, client) = (Arc::clone(&request.core), Arc::clone(&request.client));
        let progress_token = request.meta.progress_token.clone();
        let heard = (can_hear && methods::is_relayed(&request.method)).then(|| {
            let capacity = core.config.max_waiting_events.max(1);
            let ends = Listener::conversation(&client.profile, progress_token.is_some(), capacity);
            request.listener = Some(ends.listener);
            Heard { notifications: ends.notifications, questions: ends.questions }
        });
        let session = request.session.clone();
        let identity = Identity::of(&request);
        let work: Work = Box::pin(methods::respond(request));
        Self {
            id,
            core,
            client,
            session,
            progress_token,
            work: Some(work),
            outcome: None,
            heard,
            asked: Vec::new(),
            cancelled: None,
            under_way: None,
            identity,
        }
    }

    /// An answer that is there already.
    pub(crate) fn settled(request: &Request, id: Id, outcome: Result<RawJson, Failure>) -> Self {
        Self {
            id,
            core: Arc::clone(&request.core),
            client: Arc::clone(&request.client),
            session: request.session.clone(),
            progress_token: None,
            work: None,
            outcome: Some(outcome),
            heard: None,
            asked: Vec::new(),
            cancelled: None,
            under_way: None,
            identity: Identity::of(request),
        }
    }

    /// Ends without an answer when the client says that it wants none.
    pub(crate) fn until_cancelled(mut self, under_way: UnderWay) -> Self {
        self.cancelled = Some(Box::pin(under_way.token().cancelled_owned()));
        self.under_way = Some(under_way);
        self
    }

    /// Goes on under the id and progress token of the client's next request.
    pub(crate) fn go_on(mut self, id: Id, progress_token: Option<RawJson>) -> Self {
        self.id = id;
        self.progress_token = progress_token;
        self
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The message that a notification of the server becomes.
    fn message_of(&self, notification: &Notification) -> Option<Vec<u8>> {
        let Notification { method, params } = notification;
        let params = match method.as_str() {
            "notifications/progress" => {
                mcp_wire::with_member(params, "progressToken", self.progress_token.as_ref()?.as_str())
            }
            "notifications/message" if !self.client.wants_log(params) => return None,
            _ => params.clone(),
        };
        let mut message = Vec::new();
        write_notification(&mut message, method, &params, &Meta::default());
        Some(message)
    }

    /// Puts the server's questions to the client, as its era does it.
    fn poll_questions(&mut self, task: &mut Context<'_>) -> Poll<Option<Piece>> {
        let mut open = Vec::new();
        while let Some(heard) = &mut self.heard
            && let Poll::Ready(Some(question)) = heard.questions.poll_recv(task)
        {
            match self.client.refuses(&question) {
                Some(refusal) => question.answer(Err(refusal)),
                None => open.push(question),
            }
            if !self.client.is_modern() && !open.is_empty() {
                break;
            }
        }
        match (open.pop(), &self.session) {
            (None, _) => Poll::Pending,
            (Some(question), Some(session)) if !self.client.is_modern() => {
                let (number, message) = session.ask(question);
                self.asked.push(number);
                Poll::Ready(Some(Piece::Message(message)))
            }
            (Some(last), _) => {
                open.push(last);
                Poll::Ready(Some(self.park(open)))
            }
        }
    }

    /// Lets the call wait until its client comes back, and ends this round.
    fn park(&mut self, questions: Vec<Question>) -> Piece {
        let waiting = Self {
            id: self.id.clone(),
            core: Arc::clone(&self.core),
            client: Arc::clone(&self.client),
            session: self.session.clone(),
            progress_token: None,
            work: self.work.take(),
            outcome: None,
            heard: self.heard.take(),
            asked: Vec::new(),
            cancelled: None,
            under_way: None,
            identity: self.identity.clone(),
        };
        let told = self.core.parking.park(waiting, questions);
        self.answer(told)
    }

    fn answer(&self, outcome: Result<RawJson, Failure>) -> Piece {
        let mut message = Vec::new();
        let status = match outcome {
            Ok(result) => {
                message.reserve(result.as_bytes().len() + 64);
                write_result(&mut message, &self.id, &result);
                200
            }
            Err(failure) => {
                tracing::debug!(message = failure.message(), kind = failure.kind().as_str(), "a request failed");
                failure.write(&mut message, &self.id);
                failure.status()
            }
        };
        Piece::Last { status, message: Some(message) }
    }
}

impl Source for Exchange {
    fn poll_piece(&mut self, task: &mut Context<'_>) -> Poll<Option<Piece>> {
        if let Some(cancelled) = &mut self.cancelled
            && cancelled.as_mut().poll(task).is_ready()
        {
            (self.work, self.heard, self.outcome) = (None, None, None);
            return Poll::Ready(Some(Piece::Last { status: 200, message: None }));
        }
        // The work first: whatever it notified by the time it is ready is in the channel then.
        if let Some(work) = &mut self.work
            && let Poll::Ready(outcome) = work.as_mut().poll(task)
        {
            self.work = None;
            self.outcome = Some(outcome);
        }
        while let Some(heard) = &mut self.heard
            && let Some(notification) = heard.next_notification(self.outcome.is_some(), task)
        {
            if let Some(message) = self.message_of(&notification) {
                return Poll::Ready(Some(Piece::Message(message)));
            }
        }
        if let Some(outcome) = self.outcome.take() {
            self.heard = None;
            return Poll::Ready(Some(self.answer(outcome)));
        }
        if self.work.is_none() {
            return Poll::Ready(None);
        }
        if let Some(session) = &self.session
            && let Poll::Ready(message) = session.poll_withdrawn(&mut self.asked, task)
        {
            return Poll::Ready(Some(Piece::Message(message)));
        }
        self.poll_questions(task)
    }

    fn is_given_up(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.token().is_cancelled())
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("id", &self.id).finish_non_exhaustive()
    }
}
