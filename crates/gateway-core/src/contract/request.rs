//! One request to an upstream, and the caller's end of it: who hears its progress and answers what the
//! server asks meanwhile.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::{Error, ErrorKind, RawJson, Result, TraceContext};

/// Questions of one request that may wait for their answers at the same time.
const MAX_QUESTIONS: usize = 16;

/// One request to an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamRequest {
    /// The MCP method: `tools/call`.
    pub method: Cow<'static, str>,
    /// Its `params`, an object. The transport adds only what the wire needs (`_meta` fields).
    pub params: RawJson,
    /// Names and values of the headers `Mcp-Param-NAME` (SEP-2243), not yet encoded, for a transport that has
    /// headers and a server of the modern era.
    pub param_headers: Vec<(String, String)>,
    /// The caller's end; where there is none, no progress is asked for and no question answered.
    pub listener: Option<Listener>,
    /// Where it stands in a distributed trace; the server is told in `traceparent` and `tracestate`: `_meta` members
    /// (SEP-414), and headers where the transport has some.
    pub trace: Option<TraceContext>,
}

impl UpstreamRequest {
    /// A request without a listener.
    pub fn new(method: impl Into<Cow<'static, str>>, params: RawJson) -> Self {
        Self { method: method.into(), params, param_headers: Vec::new(), listener: None, trace: None }
    }

    /// With someone who hears its progress.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Whether the server is to report progress.
    pub fn wants_progress(&self) -> bool {
        self.listener.as_ref().is_some_and(Listener::wants_progress)
    }
}

/// The program at the other end of a door, where it can be asked.
#[derive(Debug)]
pub struct ClientProfile {
    id: u64,
    capabilities: RawJson,
}

impl ClientProfile {
    /// A client that declared these `ClientCapabilities`, an object.
    pub fn new(capabilities: RawJson) -> Arc<Self> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), capabilities })
    }

    /// The same client in each of its requests, where whoever makes it knows that by other means than by the
    /// value: `identity` stands for it, and for no other.
    pub fn known_as(identity: u64, capabilities: RawJson) -> Arc<Self> {
        /// Apart from the numbers that [`new`](Self::new) gives.
        const KNOWN: u64 = 1 << 63;
        Arc::new(Self { id: identity | KNOWN, capabilities })
    }

    /// What it declared, an object.
    pub fn capabilities(&self) -> &RawJson {
        &self.capabilities
    }
}

/// The caller's end of one request: receives its notifications in wire order, and the questions that its
/// server asks before it answers (sampling, elicitation, roots).
///
/// Delivery never blocks a connection that others share: where the receiver does not keep up, what
/// does not fit is dropped.
///
/// Progress belongs to one request and reaches its listener alone. A log message and a question name no
/// request: they reach the listener whose request they surely belong to (they came in that request's own
/// stream, or no other client's request is under way), and else [`UpstreamEvents`](crate::UpstreamEvents).
#[derive(Clone, Debug)]
pub struct Listener(Arc<Ear>);

#[derive(Debug)]
struct Ear {
    notifications: mpsc::Sender<Notification>,
    wants_progress: bool,
    client: Option<Asking>,
    opened: Instant,
    /// Milliseconds from `opened` to the last progress, and one; 0 before the first.
    progress_ms: AtomicU64,
    /// Questions that wait for their answers.
    asked: AtomicUsize,
}

#[derive(Debug)]
struct Asking {
    profile: Arc<ClientProfile>,
    questions: mpsc::Sender<Question>,
}

/// A notification that belongs to one request.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The MCP method: `notifications/progress`, `notifications/message`.
    pub method: String,
    /// Its `params`.
    pub params: RawJson,
}

/// What a server asks its client. Dropping it without an answer tells the server that nobody answers.
#[derive(Debug)]
pub struct Question {
    /// The MCP method: `sampling/createMessage`, `elicitation/create`, `roots/list`.
    pub method: String,
    /// Its `params`.
    pub params: RawJson,
    answer: oneshot::Sender<Result<RawJson>>,
}

/// What the caller's end of a request consists of: see [`Listener::conversation`].
#[derive(Debug)]
pub struct Conversation {
    /// For the request.
    pub listener: Listener,
    /// Where its notifications come out.
    pub notifications: mpsc::Receiver<Notification>,
    /// Where its server's questions come out.
    pub questions: mpsc::Receiver<Question>,
}

impl Listener {
    /// A listener that answers no questions, and the end where its notifications come out; `capacity` of
    /// them may wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Notification>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self::new(sender, true, None), receiver)
    }

    /// A listener for a client that can be asked; `capacity` notifications may wait.
    pub fn conversation(profile: &Arc<ClientProfile>, wants_progress: bool, capacity: usize) -> Conversation {
        let (sender, notifications) = mpsc::channel(capacity);
        let (asking, questions) = mpsc::channel(MAX_QUESTIONS);
        let client = Asking { profile: Arc::clone(profile), questions: asking };
        Conversation { listener: Self::new(sender, wants_progress, Some(client)), notifications, questions }
    }

    fn new(notifications: mpsc::Sender<Notification>, wants_progress: bool, client: Option<Asking>) -> Self {
        let (progress_ms, asked) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self(Arc::new(Ear { notifications, wants_progress, client, opened: Instant::now(), progress_ms, asked }))
    }

    /// Hands over one notification. `false` where nobody listens any more or there is no room.
    pub fn deliver(&self, notification: Notification) -> bool {
        if notification.method == "notifications/progress" {
            self.note_progress();
        }
        self.0.notifications.try_send(notification).is_ok()
    }

    /// Asks the client on behalf of the server and returns the `result`. Dropping the future withdraws
    /// the question.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where nobody can answer, [`ErrorKind::RateLimited`] where too many
    /// questions wait, and what the client answered instead of a result: its JSON-RPC error object as
    /// [`details`](Error::details).
    pub async fn ask(&self, method: &str, params: RawJson) -> Result<RawJson> {
        let unanswered = || Error::new(ErrorKind::NotFound, format!("nobody at this end answers `{method}`"));
        let client = self.0.client.as_ref().ok_or_else(unanswered)?;
        let (answer, receiver) = oneshot::channel();
        let question = Question { method: method.to_owned(), params, answer };
        client.questions.try_send(question).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(ErrorKind::RateLimited, "too many questions wait for an answer already")
            }
            mpsc::error::TrySendError::Closed(_) => unanswered(),
        })?;
        let _waiting = Waiting::begin(self);
        receiver.await.unwrap_or_else(|_| Err(unanswered()))
    }

    /// Whether the server is to report progress.
    pub fn wants_progress(&self) -> bool {
        self.0.wants_progress
    }

    /// The client that can be asked, where there is one.
    pub fn client(&self) -> Option<&Arc<ClientProfile>> {
        self.0.client.as_ref().map(|client| &client.profile)
    }

    /// Whether both are ends of requests of one client.
    pub fn is_of_same_client(&self, other: &Self) -> bool {
        matches!((self.client(), other.client()), (Some(one), Some(other)) if one.id == other.id)
    }

    /// Whether the server waits for the answer to a question.
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed) > 0
    }

    /// When progress last came, also such that was dropped. The server is not idle while it waits for
    /// the answer to a question: then it is now.
    pub fn last_progress(&self) -> Option<Instant> {
        if self.is_asked() {
            return Some(Instant::now());
        }
        let age = self.0.progress_ms.load(Ordering::Relaxed).checked_sub(1)?;
        self.0.opened.checked_add(Duration::from_millis(age))
    }

    fn note_progress(&self) {
        let age = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.progress_ms.store(age.saturating_add(1), Ordering::Relaxed);
    }
}

/// Counts a question while it waits; its end is a sign of life.
struct Waiting<'a>(&'a Listener);

impl<'a> Waiting<'a> {
    fn begin(listener: &'a Listener) -> Self {
        listener.0.asked.fetch_add(1, Ordering::Relaxed);
        Self(listener)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.note_progress();
        self.0.0.asked.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Question {
    /// A question, and where its answer comes out.
    pub fn new(method: &str, params: RawJson) -> (Self, oneshot::Receiver<Result<RawJson>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { method: method.to_owned(), params, answer }, receiver)
    }

    /// Answers it. Nothing happens where the server no longer waits.
    pub fn answer(self, outcome: Result<RawJson>) {
        let _ = self.answer.send(outcome);
    }

    /// Whether the server no longer waits for the answer.
    pub fn is_withdrawn(&self) -> bool {
        self.answer.is_closed()
    }

    /// Ready when the server no longer waits for the answer.
    pub fn poll_withdrawn(&mut self, task: &mut Context<'_>) -> Poll<()> {
        self.answer.poll_closed(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_reaches_the_client_and_comes_back() {
        let profile = ClientProfile::new(RawJson::empty_object());
        let mut ends = Listener::conversation(&profile, false, 1);
        let listener = ends.listener.clone();
        let asking = tokio::spawn(async move { listener.ask("roots/list", RawJson::empty_object()).await });
        let question = ends.questions.recv().await.expect("a question");
        assert_eq!(question.method, "roots/list");
        assert_eq!(ends.listener.last_progress(), Some(Instant::now()), "a server that waits is not idle");
        question.answer(Ok(RawJson::parse(r#"{"roots":[]}"#).expect("JSON")));
        let answer = asking.await.expect("no panic").expect("an answer");
        assert_eq!(answer.as_str(), r#"{"roots":[]}"#);
    }

    #[tokio::test]
    async fn a_question_that_nobody_answers_is_refused() {
        let (deaf, _receiver) = Listener::channel(1);
        let refused = deaf.ask("roots/list", RawJson::empty_object()).await.expect_err("nobody");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        let profile = ClientProfile::new(RawJson::empty_object());
        let mut ends = Listener::conversation(&profile, false, 1);
        let asking = ends.listener.ask("roots/list", RawJson::empty_object());
        let (refused, ()) = tokio::join!(asking, async { drop(ends.questions.recv().await) });
        assert_eq!(refused.expect_err("dropped").kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_question_is_withdrawn_with_its_future() {
        let profile = ClientProfile::new(RawJson::empty_object());
        let mut ends = Listener::conversation(&profile, false, 1);
        {
            let asking = std::pin::pin!(ends.listener.ask("roots/list", RawJson::empty_object()));
            let _ = futures_util::poll!(asking);
        }
        let mut question = ends.questions.recv().await.expect("it was sent");
        std::future::poll_fn(|task| question.poll_withdrawn(task)).await;
        assert!(question.is_withdrawn());
    }

    #[test]
    fn clients_are_told_apart() {
        let (one, other) = (ClientProfile::new(RawJson::empty_object()), ClientProfile::new(RawJson::empty_object()));
        let of = |profile: &Arc<ClientProfile>| Listener::conversation(profile, true, 1).listener;
        assert!(of(&one).is_of_same_client(&of(&one)));
        assert!(!of(&one).is_of_same_client(&of(&other)));
        assert!(!Listener::channel(1).0.is_of_same_client(&of(&one)));
    }
}
