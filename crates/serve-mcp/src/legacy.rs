//! Clients of 2024-11-05 to 2025-11-25 over HTTP: `initialize` opens a session.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::future::join_all;
use gateway_core::{ClientProfile, ErrorKind, NewSession, RawJson};
use http::{HeaderValue, Response, StatusCode};
use mcp_wire::{Id, Message, Object, Revision, cancelled_id, code, header};

use crate::beat::Beat;
use crate::client::{Meta, NEW_SESSION, Sender};
use crate::config::{Binding, Expose};
use crate::core::{Core, Request};
use crate::describe;
use crate::door::{Incoming, Rejected, empty, events, has_good_id, is_legacy_version, json};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::feed::{Audience, Feed};
use crate::session::{Opening, Session};
use crate::source::{Piece, Source, first_piece};

/// How long a client should wait before it takes a stream up again.
const RETRY: Duration = Duration::from_secs(1);

/// Most messages of one batch.
const MAX_BATCH: usize = 1_000;

/// Answers a message.
pub(crate) async fn post(incoming: Incoming, message: Message) -> Result<Response<Body>, Rejected> {
    if let Message::Request { id, method, params } = &message
        && method == "initialize"
    {
        return open(&incoming, id, params).await;
    }
    let asked = match &message {
        Message::Request { id, .. } => id.clone(),
        Message::Notification { .. } | Message::Response { .. } => Id::null(),
    };
    let session = find(&incoming).await.map_err(|rejected| Rejected { id: asked, ..rejected })?;
    let Message::Request { id, method, params } = message else {
        hear(&incoming.core, &session, message).await;
        return Ok(empty(StatusCode::ACCEPTED));
    };
    let Incoming { core, sender, head, .. } = incoming;
    let mut exchange = begin(&core, &session, &sender, (id, method, params), head.accepts_events);
    let first = first_piece(&mut exchange, &core, head.accepts_events).await;
    match first {
        Some(Piece::Last { message: Some(message), .. }) if head.accepts_json => Ok(json(StatusCode::OK, message)),
        first => {
            let stream = session.streams.open(Box::new(Begun { first, exchange }));
            Ok(events(Body::new(stream.body(None, Beat::new(core.pulse()), retry(&session)))))
        }
    }
}

/// Answers the messages of a batch (2025-03-26) together.
pub(crate) async fn batch(incoming: Incoming, text: &Bytes) -> Result<Response<Body>, Rejected> {
    let bad =
        |message: &'static str| Rejected::new(StatusCode::BAD_REQUEST, Failure::new(code::INVALID_REQUEST, message));
    let session = find(&incoming).await?;
    if session.revision != Revision::V2025_03_26 {
        return Err(bad("batches belong to revision 2025-03-26 only"));
    }
    let messages = Message::parse_batch(text).map_err(|_| bad("this is no batch of messages"))?;
    if messages.is_empty() || messages.len() > MAX_BATCH {
        return Err(bad("a batch has 1 to 1,000 messages"));
    }
    let Incoming { core, sender, .. } = incoming;
    let answers = messages.into_iter().map(|message| async {
        match message.ok().filter(has_good_id) {
            Some(Message::Request { id, method, params }) => {
                let mut exchange = begin(&core, &session, &sender, (id, method, params), false);
                match poll_fn(|task| exchange.poll_piece(task)).await {
                    Some(Piece::Last { message, .. }) => message,
                    _ => None,
                }
            }
            Some(other) => {
                hear(&core, &session, other).await;
                None
            }
            None => {
                let mut message = Vec::new();
                Failure::new(code::INVALID_REQUEST, "this is no message").write(&mut message, &Id::null());
                Some(message)
            }
        }
    });
    let answers: Vec<_> = join_all(answers).await.into_iter().flatten().collect();
    if answers.is_empty() {
        return Ok(empty(StatusCode::ACCEPTED));
    }
    let mut text = vec![b'['];
    text.extend_from_slice(&answers.join(&b','));
    text.push(b']');
    Ok(json(StatusCode::OK, text))
}

/// GET: the stream of what belongs to no request, or one that broke off.
pub(crate) async fn listen(incoming: Incoming) -> Result<Response<Body>, Rejected> {
    if !incoming.head.accepts_events {
        let failure = Failure::new(code::INVALID_REQUEST, "the header Accept must have text/event-stream");
        return Err(Rejected::new(StatusCode::NOT_ACCEPTABLE, failure));
    }
    if incoming.head.version.as_deref().is_some_and(|version| !is_legacy_version(version)) {
        let failure = Failure::new(code::INVALID_REQUEST, "this revision has no GET; use subscriptions/listen");
        return Err(Rejected::new(StatusCode::METHOD_NOT_ALLOWED, failure));
    }
    let session = find(&incoming).await?;
    let beat = Beat::new(incoming.core.pulse());
    if let Some(last) = &incoming.head.last_event_id {
        let found = session.streams.find(last).ok_or_else(|| {
            let failure = Failure::new(code::INVALID_REQUEST, "Last-Event-ID names no stream that is still kept");
            Rejected::new(StatusCode::BAD_REQUEST, failure)
        })?;
        let (stream, after) = found;
        return Ok(events(Body::new(stream.body(Some(after), beat, None))));
    }
    let stream = session.streams.general(|| {
        let context = session.context().clone();
        let audience = Audience::Session(Arc::clone(&session));
        Box::new(Feed::new(&incoming.core, context, audience, incoming.caller.draining()))
    });
    Ok(events(Body::new(stream.body(None, beat, retry(&session)))))
}

/// DELETE: the client needs its session no longer.
pub(crate) async fn leave(incoming: Incoming) -> Result<Response<Body>, Rejected> {
    let session = find(&incoming).await?;
    incoming.core.end_session(&session).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `initialize`.
async fn open(incoming: &Incoming, id: &Id, params: &RawJson) -> Result<Response<Body>, Rejected> {
    let Incoming { core, sender, head, .. } = incoming;
    let rejected = |error: gateway_core::Error| Rejected { id: id.clone(), ..error.into() };
    core.sessions.check_room().map_err(rejected)?;
    let expose = head.expose.unwrap_or(core.config.expose);
    let opening = opening(core, sender, params, expose).await.map_err(rejected)?;
    let result = describe::initialized(&core.gateway, &opening.context, opening.revision, expose);
    let session = core.sessions.open(opening).map_err(rejected)?;
    core.keep(&session).await;
    let mut message = Vec::new();
    mcp_wire::write_result(&mut message, id, &result);
    let mut response = if head.accepts_json {
        json(StatusCode::OK, message)
    } else {
        let mut event = Vec::new();
        crate::sse::write_event(&mut event, None, &message);
        events(Body::from(event))
    };
    if let Ok(id) = HeaderValue::from_str(&session.id) {
        response.headers_mut().insert(header::SESSION_ID, id);
    }
    Ok(response)
}

/// What a client's `initialize` settles.
pub(crate) async fn opening(
    core: &Core,
    sender: &Sender,
    params: &RawJson,
    expose: Expose,
) -> gateway_core::Result<Opening> {
    let params = Object::of(params);
    let wanted = params.text("protocolVersion").and_then(|version| Revision::parse(&version));
    let revision = wanted.filter(|revision| *revision != Revision::MODERN).unwrap_or(Revision::LATEST_LEGACY);
    let capabilities = params.get("capabilities").filter(|capabilities| capabilities.is_object());
    let profile = ClientProfile::new(capabilities.map_or_else(RawJson::empty_object, RawJson::detached));
    let owns_gateway_session = match &sender.session_id {
        Some(id) => id == NEW_SESSION,
        None => core.config.binding == Binding::Own,
    };
    let context = if owns_gateway_session {
        let outside = sender.in_session(None).admit(&core.gateway, None).await?;
        let made = core.gateway.create_session(&outside, NewSession::default()).await?;
        sender.in_session(Some(made.id)).admit(&core.gateway, None).await?
    } else {
        sender.admit(&core.gateway, None).await?
    };
    let marks = core.gateway.list_marks(&context);
    Ok(Opening { revision, profile, expose, context, owns_gateway_session, marks })
}

/// The session that a request names, where it is its sender's.
async fn find(incoming: &Incoming) -> Result<Arc<Session>, Rejected> {
    let Incoming { core, sender, head, .. } = incoming;
    let Some(id) = &head.session_id else {
        let failure = Failure::new(
            code::INVALID_REQUEST,
            "the header Mcp-Session-Id is missing: begin with `initialize`, or send what revision 2026-07-28 asks for",
        );
        return Err(Rejected::new(StatusCode::BAD_REQUEST, failure));
    };
    let unknown = || {
        let failure =
            Failure::new(code::INVALID_REQUEST, "there is no such session, or its time is over: initialize again");
        Rejected::new(StatusCode::NOT_FOUND, failure)
    };
    // Who may not use the gateway must not learn which sessions there are.
    let context = sender.in_session(None).admit(&core.gateway, None).await?;
    let session = match core.sessions.find(id) {
        Some(session) => session,
        None => core.take_up(id, sender, &context).await?.ok_or_else(unknown)?,
    };
    if session.context().principal() != context.principal() {
        return Err(unknown());
    }
    // Without the gateway's session that it uses it can do nothing, and its client should begin anew.
    if let Some(id) = session.context().session_id()
        && let Err(error) = sender.in_session(Some(id.to_owned())).admit(&core.gateway, None).await
    {
        if error.kind() != ErrorKind::NotFound {
            return Err(error.into());
        }
        core.give_up(&session).await;
        return Err(unknown());
    }
    if let Some(version) = &head.version
        && !is_legacy_version(version)
    {
        let failure = Failure::new(code::INVALID_REQUEST, "MCP-Protocol-Version is not one that this session can have");
        return Err(Rejected::new(StatusCode::BAD_REQUEST, failure));
    }
    session.touch();
    Ok(session)
}

/// Begins a request in a session.
pub(crate) fn begin(
    core: &Arc<Core>,
    session: &Arc<Session>,
    sender: &Sender,
    (id, method, params): (Id, String, RawJson),
    can_hear: bool,
) -> Exchange {
    let params = Object::of(&params);
    let request = Request {
        core: Arc::clone(core),
        client: Arc::new(session.client()),
        sender: sender.in_session(session.context().session_id().map(str::to_owned)),
        session: Some(Arc::clone(session)),
        method,
        meta: Meta::of(&params),
        params,
        param_headers: None,
        listener: None,
    };
    match session.begin(&id) {
        Ok(under_way) => Exchange::begin(request, id, can_hear).until_cancelled(under_way),
        Err(error) => Exchange::settled(&request, id, Err(error.into())),
    }
}

/// Hears what a client says without asking.
pub(crate) async fn hear(core: &Core, session: &Session, message: Message) {
    match message {
        Message::Response { id, outcome } => session.answer(&id, outcome),
        Message::Notification { method, params } => match method.as_str() {
            "notifications/cancelled" => {
                if let Some(id) = cancelled_id(&params) {
                    session.cancel(&id);
                }
            }
            // Only the servers of a session of its own have asked this client for its roots.
            "notifications/roots/list_changed" if session.context().session_id().is_some() => {
                let notification = gateway_core::Notification { method, params };
                core.gateway.notify_servers(session.context(), &notification).await;
            }
            _ => {}
        },
        Message::Request { .. } => {}
    }
}

/// Events without data are understood from 2025-11-25 on.
fn retry(session: &Session) -> Option<Duration> {
    (session.revision >= Revision::V2025_11_25).then_some(RETRY)
}

/// A request whose first piece has been polled already.
#[derive(Debug)]
struct Begun {
    first: Option<Piece>,
    exchange: Exchange,
}

impl Source for Begun {
    fn poll_piece(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Piece>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.exchange.poll_piece(task),
        }
    }

    fn is_given_up(&self) -> bool {
        self.exchange.is_given_up()
    }
}
