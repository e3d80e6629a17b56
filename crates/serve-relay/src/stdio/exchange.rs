//! Requests to the gateway, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use gateway_core::{Error, ErrorKind, Result, Retry};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method, Request, Response};
use hyper::body::Incoming;
use mcp_wire::{Id, Message, Outcome, header};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Refusal};
use super::relay::Relay;
use super::said::{Purpose, Said};
use super::session::{Greeting, Session};
use super::written::Written;
use crate::failure;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON_OR_EVENTS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const SESSION_ID: HeaderName = HeaderName::from_static(header::SESSION_ID);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// How long we wait before a stream that broke off is taken up again, where the gateway does not say.
const RESUME_DELAY: Duration = Duration::from_secs(1);

/// Shortest and longest such wait, whatever it says.
const RESUME_DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// Attempts to take up a stream, one after the other without an event between.
const MAX_FRUITLESS: u32 = 5;

/// The rest of a stream that has said what it is for is read for so long, so that its connection can serve again.
const REST: Duration = Duration::from_secs(1);

impl Relay {
    /// Carries a request to the gateway and everything that it answers back. `written` is cancelled when the
    /// request has been handed to a connection.
    ///
    /// # Errors
    /// Why there is no answer. Some of its ids may have been answered all the same.
    pub(super) async fn carry(self: &Arc<Self>, said: &Said, written: &CancellationToken) -> Result<()> {
        let mut session = self.session_of(said);
        let mut is_second = false;
        loop {
            let mut request = self.post(said.text.clone(), said.modern.as_ref(), session.as_deref(), written)?;
            if said.modern.is_some() {
                request.headers_mut().extend(self.tool_headers.of_request(&said.text));
            }
            let response = self.client.send(request).await?;
            if response.status().is_success() {
                return self.read(said, session.as_ref(), response).await;
            }
            let refusal = Refusal::read(response).await;
            match lost(session.as_ref(), &refusal) {
                Some(lost) if !is_second => session = Some(self.reopen(lost).await?),
                _ => return self.refused(said.ids(), refusal).await,
            }
            is_second = true;
        }
    }

    /// Delivers a message that wants no answer.
    ///
    /// # Errors
    /// Where the gateway does not take it.
    pub(super) async fn tell(self: &Arc<Self>, said: &Said) -> Result<()> {
        let mut session = self.session_of(said);
        let mut is_second = false;
        loop {
            let written = CancellationToken::new();
            let request = self.post(said.text.clone(), said.modern.as_ref(), session.as_deref(), &written)?;
            let response = self.client.send(request).await?;
            if response.status().is_success() {
                self.drain(response).await;
                return Ok(());
            }
            let refusal = Refusal::read(response).await;
            // What concerns requests of the lost session means nothing in another one.
            let is_of_session = matches!(said.purpose, Purpose::Answer | Purpose::Cancel(_));
            match lost(session.as_ref(), &refusal) {
                // Opening it anew sends this message, too.
                Some(lost) if said.purpose == Purpose::Initialized => return self.reopen(lost).await.map(drop),
                Some(lost) if !is_second && !is_of_session => session = Some(self.reopen(lost).await?),
                _ => return Err(refusal.into_error(self.client.origin())),
            }
            is_second = true;
        }
    }

    /// Opens the client's session.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn open(self: &Arc<Self>, initialize: &Bytes, id: &Id) -> Result<()> {
        let (text, session) = self.greet(initialize, id).await?;
        if let Some(session) = session {
            let greeting = Greeting { initialize: initialize.clone(), id: id.clone(), initialized: None };
            if let Some(before) = self.sessions.begin(session, greeting) {
                before.ended.cancel();
                let relay = Arc::clone(self);
                self.background.spawn(async move {
                    let ending = tokio::time::timeout(REST, relay.end_session(&before));
                    let _stopped = relay.stop.run_until_cancelled(ending).await;
                });
            }
        }
        self.pass_on(text, std::slice::from_ref(id)).await;
        Ok(())
    }

    /// Opens a session in the place of `lost`, as the client opened its own. Of many who ask for it one does it.
    ///
    /// # Errors
    /// Where the gateway opens none.
    pub(super) async fn reopen(self: &Arc<Self>, lost: &Arc<Session>) -> Result<Arc<Session>> {
        let _alone = self.sessions.opening.lock().await;
        if let Some(current) = self.sessions.current().filter(|current| !Arc::ptr_eq(current, lost)) {
            return Ok(current);
        }
        tracing::info!("the gateway has lost our session; opening another one");
        let unopened = |why: &str| {
            let message = format!("the gateway has lost our session and opens no other: {why}");
            Error::new(ErrorKind::Unavailable, message).with_retry(Retry::Safe)
        };
        let greeting = self.sessions.greeting().ok_or_else(|| unopened("the client has not opened one"))?;
        lost.ended.cancel();
        let greeted = self.greet(&greeting.initialize, &greeting.id).await;
        let (text, session) = greeted.map_err(|error| unopened(error.message()).with_source(error))?;
        let Some(session) = session else {
            return Err(match Message::parse(&text) {
                Ok(Message::Response { outcome: Err(said), .. }) => unopened(&said.message),
                _ => unopened("its answer is none"),
            });
        };
        if let Some(initialized) = greeting.initialized {
            let written = CancellationToken::new();
            let request = self.post(initialized, None, Some(&session), &written)?;
            let response = self.client.send(request).await?;
            if !response.status().is_success() {
                let refusal = Refusal::read(response).await.into_error(self.client.origin());
                return Err(unopened(refusal.message()).with_source(refusal));
            }
            self.drain(response).await;
            self.listen(&session);
        }
        self.sessions.replace(Arc::clone(&session));
        self.tell_of_changes(&session).await;
        Ok(session)
    }

    /// Ends a session at the gateway.
    ///
    /// # Errors
    /// Where the gateway does not know of it, and where it cannot be reached.
    pub(super) async fn end_session(&self, session: &Session) -> Result<()> {
        if !session.has_id() {
            return Ok(());
        }
        let request = self.request(Method::DELETE, Some(&session.headers), Body::empty())?;
        let response = self.client.send(request).await?;
        self.drain(response).await;
        Ok(())
    }

    /// A request for the stream of what the gateway says of its own accord, or for the rest of a stream that broke
    /// off after the event `last_event_id`.
    ///
    /// # Errors
    /// Where the gateway's address is none.
    pub(super) fn get(&self, session: &Session, last_event_id: Option<&str>) -> Result<Request<Body>> {
        let mut request = self.request(Method::GET, Some(&session.headers), Body::empty())?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, EVENTS);
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        Ok(request)
    }

    /// Sends `initialize` and returns the answer, and the session unless it was refused.
    async fn greet(self: &Arc<Self>, initialize: &Bytes, id: &Id) -> Result<(Bytes, Option<Arc<Session>>)> {
        let request = self.post(initialize.clone(), None, None, &CancellationToken::new())?;
        let response = self.client.send(request).await?;
        if !response.status().is_success() {
            return Err(Refusal::read(response).await.into_error(self.client.origin()));
        }
        let session_id = response.headers().get(SESSION_ID).cloned();
        let mut answer = Answer::new(response, self.config.max_message_bytes);
        while let Some(text) = answer.next().await? {
            match Message::parse(&text) {
                Ok(Message::Response { id: answered, outcome: Outcome::Ok(result) }) if answered == *id => {
                    let session = Session::new(session_id, &result, self.stop.child_token());
                    self.read_rest(answer, &[]);
                    return Ok((text, Some(Arc::new(session))));
                }
                Ok(Message::Response { id: answered, outcome: Err(_) })
                    if answered == *id || answered == Id::null() =>
                {
                    return Ok((text, None));
                }
                _ => self.pass_on(text, &[]).await,
            }
        }
        Err(self.unanswered(&answer))
    }

    /// The session that a message belongs to.
    fn session_of(&self, said: &Said) -> Option<Arc<Session>> {
        if said.modern.is_some() { None } else { self.sessions.current() }
    }

    fn post(
        &self,
        text: Bytes,
        modern: Option<&HeaderMap>,
        session: Option<&Session>,
        written: &CancellationToken,
    ) -> Result<Request<Body>> {
        let body = Body::new(Written::new(text, written.clone()));
        let own = modern.or_else(|| session.map(|session| &session.headers));
        let mut request = self.request(Method::POST, own, body)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, JSON_OR_EVENTS);
        headers.insert(CONTENT_TYPE, JSON);
        Ok(request)
    }

    fn request(&self, method: Method, own: Option<&HeaderMap>, body: Body) -> Result<Request<Body>> {
        let remote = &self.config.remote;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = remote.uri(None)?;
        let headers = request.headers_mut();
        headers.clone_from(&remote.headers);
        for (name, value) in own.into_iter().flatten() {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }

    /// Passes on what the gateway says in its answer to `said`, until each request has its answer. A stream of a
    /// session that breaks off is taken up again.
    async fn read(
        self: &Arc<Self>,
        said: &Said,
        session: Option<&Arc<Session>>,
        response: Response<Incoming>,
    ) -> Result<()> {
        let mut answer = Answer::new(response, self.config.max_message_bytes);
        let ids = said.ids();
        let mut reached: Option<String> = None;
        let mut fruitless = 0;
        loop {
            while let Some(text) = answer.next().await? {
                if said.lists_tools {
                    // Before the client can call any of them.
                    self.tool_headers.learn(&text);
                }
                self.pass_on(text, ids).await;
                if !self.waiting.any(ids) {
                    self.read_rest(answer, ids);
                    return Ok(());
                }
            }
            match answer.last_event_id() {
                Some(id) => {
                    reached = Some(id.to_owned());
                    fruitless = 0;
                }
                None => fruitless += 1,
            }
            let (Some(session), Some(after)) = (session, reached.as_deref()) else {
                return Err(self.unanswered(&answer));
            };
            answer = self.resume(session, after, answer.retry(), &mut fruitless).await?;
        }
    }

    /// Takes up a stream that broke off (2025-11-25, "Resumability and Redelivery").
    async fn resume(
        self: &Arc<Self>,
        session: &Session,
        after: &str,
        retry: Option<Duration>,
        fruitless: &mut u32,
    ) -> Result<Answer> {
        let unsure = |why: &str| {
            let message = format!("the answer broke off and cannot be taken up again: {why}");
            Error::new(ErrorKind::UpstreamFailed, message).with_retry(Retry::IfIdempotent)
        };
        let (shortest, longest) = RESUME_DELAYS;
        loop {
            if *fruitless > MAX_FRUITLESS {
                return Err(unsure("the gateway does not continue it"));
            }
            tokio::time::sleep(retry.unwrap_or(RESUME_DELAY).clamp(shortest, longest)).await;
            let response = match self.client.send(self.get(session, Some(after))?).await {
                Ok(response) => response,
                // It may be back in a moment.
                Err(error) if *fruitless < MAX_FRUITLESS => {
                    tracing::debug!(?error, "a stream cannot be taken up yet");
                    *fruitless += 1;
                    continue;
                }
                Err(error) => return Err(unsure(error.message()).with_source(error)),
            };
            if !response.status().is_success() {
                let error = Refusal::read(response).await.into_error(self.client.origin());
                return Err(unsure(error.message()).with_source(error));
            }
            let answer = Answer::new(response, self.config.max_message_bytes);
            return if answer.is_stream() { Ok(answer) } else { Err(unsure("the gateway answers with no stream")) };
        }
    }

    /// Passes on an answer that says no, where it answers `ids`; else it is the error.
    async fn refused(&self, ids: &[Id], refusal: Refusal) -> Result<()> {
        match &refusal.message {
            Some((text, Message::Response { id, .. })) if ids.contains(id) => self.pass_on(text.clone(), ids).await,
            _ => {}
        }
        // Those that have their answer are passed over.
        Err(refusal.into_error(self.client.origin()))
    }

    /// Reads a stream on, for a moment, after it has said what it is for.
    fn read_rest(self: &Arc<Self>, mut answer: Answer, ids: &[Id]) {
        if !answer.is_stream() {
            return;
        }
        let (relay, ids) = (Arc::clone(self), ids.to_vec());
        self.background.spawn(async move {
            let reading = async {
                while let Ok(Some(text)) = answer.next().await {
                    relay.pass_on(text, &ids).await;
                }
            };
            let _stopped = relay.stop.run_until_cancelled(tokio::time::timeout(REST, reading)).await;
        });
    }

    /// The error for an answer that ended and was none.
    fn unanswered(&self, answer: &Answer) -> Error {
        if answer.broke {
            failure::broken(self.client.origin())
        } else {
            failure::protocol("cannot get an answer: the gateway ended its own without a result")
        }
    }
}

/// The session that was lost, where this is what a refusal means.
fn lost<'s>(session: Option<&'s Arc<Session>>, refusal: &Refusal) -> Option<&'s Arc<Session>> {
    session.filter(|session| session.has_id() && refusal.means_lost_session())
}
