//! One legacy client: what `initialize` settled, what is under way, and what it is asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use gateway_core::{ClientProfile, Context, Error, ErrorKind, ListMarks, LogLevel, Question, ResourceSubscription};
use mcp_wire::{Id, Meta, Outcome, Revision, upstream_error, write_notification, write_request};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::config::Expose;
use crate::kept::{Kept, Use};
use crate::record::{SessionRecord, Wishes};
use crate::stream::Streams;
use crate::wished::Wished;

/// Most requests of one client at once.
const MAX_UNDER_WAY: usize = 10_000;

/// A legacy session, over HTTP or stdio.
#[derive(Debug)]
pub(crate) struct Session {
    /// `Mcp-Session-Id`; empty over stdio.
    pub(crate) id: String,
    pub(crate) revision: Revision,
    pub(crate) profile: Arc<ClientProfile>,
    pub(crate) expose: Expose,
    /// Who opened it, as the engine knows them.
    context: Context,
    /// Whether the gateway's session was made for this one and ends with it.
    owns_gateway_session: bool,
    pub(crate) streams: Streams,
    /// What is known of its record; without meaning over stdio.
    pub(crate) kept: Kept,
    opened: Instant,
    /// Milliseconds from `opened` to its last use.
    last_used_ms: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    wished: Wished,
    /// What the client's lists showed when it last saw them or was told of a change.
    marks: ListMarks,
    under_way: HashMap<Id, CancellationToken>,
    questions: HashMap<i64, Question>,
    last_question: i64,
    ended: bool,
}

/// What a client's `initialize` settled.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) revision: Revision,
    pub(crate) profile: Arc<ClientProfile>,
    pub(crate) expose: Expose,
    pub(crate) context: Context,
    pub(crate) owns_gateway_session: bool,
    /// What its lists show now.
    pub(crate) marks: ListMarks,
}

impl Session {
    pub(crate) fn new(id: String, opening: Opening) -> Self {
        let Opening { revision, profile, expose, context, owns_gateway_session, marks } = opening;
        Self {
            id,
            revision,
            profile,
            expose,
            context,
            owns_gateway_session,
            streams: Streams::default(),
            kept: Kept::default(),
            opened: Instant::now(),
            last_used_ms: AtomicU64::new(0),
            state: Mutex::new(State { marks, ..State::default() }),
        }
    }

    /// Notes what the client's lists show now, and returns what they showed before.
    pub(crate) fn see(&self, update: impl FnOnce(&mut ListMarks)) -> ListMarks {
        let mut state = self.lock();
        let before = state.marks;
        update(&mut state.marks);
        before
    }

    /// The client as its next request finds it.
    pub(crate) fn client(&self) -> Client {
        Client {
            revision: self.revision,
            profile: Arc::clone(&self.profile),
            log_level: self.lock().wished.log_level,
            expose: self.expose,
        }
    }

    /// Who opened it, and the gateway's session that it uses.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The same, where the gateway's session was made for this one.
    pub(crate) fn owned_context(&self) -> Option<&Context> {
        self.owns_gateway_session.then_some(&self.context)
    }

    pub(crate) fn set_log_level(&self, level: LogLevel) {
        self.lock().wished.set_level(level);
        self.kept.is_outdated.store(true, Ordering::Relaxed);
    }

    /// What its client wishes.
    pub(crate) fn wishes(&self) -> Wishes {
        self.lock().wished.wishes()
    }

    /// Its client wishes this, as another process says. What that takes is done later.
    pub(crate) fn set_wishes(&self, wishes: &Wishes) {
        let dropped = self.lock().wished.set(wishes);
        drop(dropped);
    }

    /// The level of log messages that the servers of this process have not heard of.
    pub(crate) fn take_untold_level(&self) -> Option<LogLevel> {
        self.lock().wished.take_untold_level()
    }

    /// The resources that are to be watched here and are not yet.
    pub(crate) fn unwatched(&self) -> Vec<String> {
        self.lock().wished.unwatched()
    }

    /// One of them is watched here from now on.
    pub(crate) fn watch_again(&self, uri: String, subscription: ResourceSubscription) {
        let mut state = self.lock();
        let dropped = if state.ended { Some(subscription) } else { state.wished.watch_again(uri, subscription) };
        drop(state);
        drop(dropped);
    }

    pub(crate) fn touch(&self) {
        self.last_used_ms.store(self.age_ms(), Ordering::Relaxed);
    }

    pub(crate) fn age_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How it is used, where it lives for `ttl` without use.
    pub(crate) fn usage(&self, ttl: Duration) -> Use {
        let is_held = !self.lock().under_way.is_empty() || self.streams.has_listener();
        Use { age_ms: self.age_ms(), last_used_ms: self.last_used_ms.load(Ordering::Relaxed), is_held, ttl }
    }

    /// Whether its record says less than is known here.
    pub(crate) fn is_used_since_written(&self) -> bool {
        // Without a life to speak of, whatever has been used is due at once.
        self.kept.should_write(self.usage(Duration::ZERO))
    }

    /// Whether it and its record should be brought together.
    pub(crate) fn is_due(&self, ttl: Duration, store_tells: bool) -> bool {
        let now = self.usage(ttl);
        let is_behind = || {
            let is_heard = self.streams.has_listener();
            self.lock().wished.is_behind(is_heard)
        };
        self.kept.should_look(now, store_tells) || self.kept.should_write(now) || is_behind()
    }

    /// Its record, with these wishes.
    pub(crate) fn record(&self, wishes: Wishes) -> SessionRecord {
        let (manner, context) = ((self.revision, self.expose), &self.context);
        let own = (context.session_id(), self.owns_gateway_session);
        SessionRecord::new(manner, self.profile.capabilities(), context.principal(), own, wishes)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether nobody has used it for `ttl` and nobody listens to it.
    pub(crate) fn is_over(&self, ttl: Duration) -> bool {
        let last_used = self.opened + Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed));
        last_used.elapsed() >= ttl && self.lock().under_way.is_empty() && !self.streams.has_listener()
    }

    /// Notes a request under way; what is returned is cancelled when the client says so.
    ///
    /// # Errors
    /// Where the client repeats the id of a request under way, or has too many.
    pub(crate) fn begin(self: &Arc<Self>, id: &Id) -> Result<UnderWay, Error> {
        let mut state = self.lock();
        if state.under_way.len() >= MAX_UNDER_WAY {
            let message = format!("more than {MAX_UNDER_WAY} requests are under way in this session");
            return Err(Error::new(ErrorKind::RateLimited, message));
        }
        if state.under_way.contains_key(id) {
            return Err(Error::new(ErrorKind::InvalidRequest, "a request with this id is under way already"));
        }
        let token = CancellationToken::new();
        if state.ended {
            token.cancel();
        }
        state.under_way.insert(id.clone(), token.clone());
        drop(state);
        Ok(UnderWay { session: Arc::clone(self), id: id.clone(), token })
    }

    /// The client does not want the answer to this request any more.
    pub(crate) fn cancel(&self, id: &Id) {
        let token = self.lock().under_way.get(id).cloned();
        if let Some(token) = token {
            token.cancel();
            self.streams.drop_given_up();
        }
    }

    /// Keeps a question until the client answers it; returns its number and the request to send.
    pub(crate) fn ask(&self, question: Question) -> (i64, Vec<u8>) {
        let mut state = self.lock();
        state.questions.retain(|_, question| !question.is_withdrawn());
        state.last_question += 1;
        let number = state.last_question;
        let mut message = Vec::new();
        write_request(&mut message, number, &question.method, &question.params, &Meta::default());
        state.questions.insert(number, question);
        (number, message)
    }

    /// The client answers a question. An answer that nobody waits for is dropped.
    pub(crate) fn answer(&self, id: &Id, outcome: Outcome) {
        let question = id.as_number().and_then(|number| self.lock().questions.remove(&number));
        match question {
            Some(question) => question.answer(outcome.map_err(upstream_error)),
            None => tracing::debug!("a client answered something that was not asked"),
        }
    }

    /// The message that tells the client that one of the questions `asked` needs no answer any more.
    pub(crate) fn poll_withdrawn(&self, asked: &mut Vec<i64>, task: &mut TaskContext<'_>) -> Poll<Vec<u8>> {
        if asked.is_empty() {
            return Poll::Pending;
        }
        let mut state = self.lock();
        let mut withdrawn = None;
        asked.retain(|number| match state.questions.get_mut(number) {
            None => false,
            Some(question) => {
                let is_withdrawn = withdrawn.is_none() && question.poll_withdrawn(task).is_ready();
                if is_withdrawn {
                    withdrawn = Some(*number);
                }
                !is_withdrawn
            }
        });
        let Some(number) = withdrawn else { return Poll::Pending };
        state.questions.remove(&number);
        let params = format!(r#"{{"requestId":{number},"reason":"the server no longer waits"}}"#);
        let params = gateway_core::RawJson::parse(params).expect("a number in a fixed text is JSON");
        let mut message = Vec::new();
        write_notification(&mut message, "notifications/cancelled", &params, &Meta::default());
        Poll::Ready(message)
    }

    /// Watches a resource under the URI that the client knows it by.
    ///
    /// # Errors
    /// Where the client watches too many.
    pub(crate) fn watch(&self, uri: String, subscription: ResourceSubscription) -> Result<(), Error> {
        let before = self.lock().wished.watch(uri, subscription)?;
        drop(before);
        self.kept.is_outdated.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Watches a resource no longer.
    pub(crate) fn unwatch(&self, uri: &str) {
        let subscription = self.lock().wished.unwatch(uri);
        drop(subscription);
        self.kept.is_outdated.store(true, Ordering::Relaxed);
    }

    /// The URI by which the client watches a resource of a server, where it does.
    pub(crate) fn watched(&self, server: uuid::Uuid, uri: &str) -> Option<String> {
        self.lock().wished.watched(server, uri)
    }

    /// Cancels what is under way and drops what it holds.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        for token in state.under_way.values() {
            token.cancel();
        }
        let held = (std::mem::take(&mut state.questions), std::mem::take(&mut state.wished));
        drop(state);
        drop(held);
        self.streams.end();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way in a session, until it is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    session: Arc<Session>,
    id: Id,
    token: CancellationToken,
}

impl UnderWay {
    /// Cancelled when the client does not want the answer any more.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.session.touch();
        self.session.lock().under_way.remove(&self.id);
    }
}
