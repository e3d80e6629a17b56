//! Requests of 2026-07-28 over HTTP: each stands alone.

use std::sync::Arc;

use axum::body::Body;
use gateway_core::{ClientProfile, RawJson};
use http::{Response, StatusCode};
use mcp_wire::{Id, Message, Object, Revision, code};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::beat::Beat;
use crate::client::{Client, Meta, NEW_SESSION, Sender};
use crate::config::Expose;
use crate::core::{Core, Request};
use crate::describe::supported_versions;
use crate::door::{Incoming, Rejected, empty, events, is_legacy_version, json as json_response};
use crate::exchange::{Exchange, Identity};
use crate::failure::Failure;
use crate::feed::{Audience, Feed};
use crate::head::Head;
use crate::input::RequestState;
use crate::source::{Piece, Source, first_piece};
use crate::sse::EventBody;
use crate::subscribe;

/// The request whose answer is a stream that goes on.
const LISTEN: &str = "subscriptions/listen";

/// Whether a message is meant to stand alone: its header or its `_meta` names a revision that is none of the
/// legacy era, known or not.
pub(crate) fn is_modern(head: &Head, message: &Message) -> bool {
    if head.version.as_deref().is_some_and(|version| !is_legacy_version(version)) {
        return true;
    }
    let (Message::Request { params, .. } | Message::Notification { params, .. }) = message else { return false };
    version_in(params).is_some_and(|version| !is_legacy_version(&version))
}

/// The revision that a message's `_meta` names.
pub(crate) fn version_in(params: &RawJson) -> Option<String> {
    // By far the most legacy messages have none, and need no closer look. An escape could spell it, too.
    let may_have = |part: &[u8]| memchr::memmem::find(params.as_bytes(), part).is_some();
    if !may_have(b"protocolVersion") && !may_have(b"\\u") {
        return None;
    }
    Meta::of(&Object::of(params)).version
}

/// Answers a message.
pub(crate) async fn post(incoming: Incoming, message: Message) -> Result<Response<Body>, Rejected> {
    let Message::Request { id, method, params } = message else {
        // Nothing that a client may say without asking means anything here.
        return Ok(empty(StatusCode::ACCEPTED));
    };
    let Incoming { core, caller, sender, head } = incoming;
    let expose = head.expose.unwrap_or(core.config.expose);
    let request = read(&core, sender, expose, (method, &params), Some(&head));
    let request = request.map_err(|failure| Rejected::answering(id.clone(), failure))?;
    if request.method == LISTEN && !head.accepts_events {
        let failure = Failure::new(code::INVALID_REQUEST, "the header Accept must have text/event-stream");
        return Err(Rejected { id, ..Rejected::new(StatusCode::NOT_ACCEPTABLE, failure) });
    }
    let begun = source(request, id.clone(), caller.draining()).await;
    let mut source = begun.map_err(|failure| Rejected::answering(id, failure))?;
    let first = loop {
        match first_piece(&mut *source, &core, head.accepts_events).await {
            // Where the client reads no stream, there is only the answer.
            Some(Piece::Message(_)) if !head.accepts_events => {}
            first => break first,
        }
    };
    match first {
        Some(Piece::Last { status, message: Some(message) }) if head.accepts_json => {
            Ok(json_response(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), message))
        }
        first => {
            let body = EventBody { first, source: Some(source), beat: Beat::new(core.pulse()) };
            Ok(events(Body::new(body)))
        }
    }
}

/// What a request's client hears of it.
pub(crate) async fn source(request: Request, id: Id, stop: CancellationToken) -> Result<Box<dyn Source>, Failure> {
    if request.method != LISTEN {
        return Ok(Box::new(begin(request, id)));
    }
    let (context, subscription) = subscribe::begin(&request, id).await?;
    Ok(Box::new(Feed::new(&request.core, context, Audience::Subscription(subscription), stop)))
}

/// Begins a request, or goes on with the one that it comes back to.
fn begin(request: Request, id: Id) -> Exchange {
    let parked = match RequestState::read(&request.params) {
        Ok(Some(RequestState::Parked(parked))) => parked,
        Ok(_) => return Exchange::begin(request, id, true),
        Err(failure) => return Exchange::settled(&request, id, Err(failure)),
    };
    let identity = Identity::of(&request);
    match request.core.parking.take(&parked, |exchange| exchange.identity() == identity.as_ref()) {
        Err(failure) => Exchange::settled(&request, id, Err(failure)),
        Ok(parked) => {
            let (exchange, unanswered) = parked.answer(&request.params);
            let exchange = exchange.go_on(id.clone(), request.meta.progress_token.clone());
            if unanswered.is_empty() {
                return exchange;
            }
            let told = request.core.parking.park(exchange, unanswered);
            Exchange::settled(&request, id, told)
        }
    }
}

/// Reads a request and checks it against its headers, where it has any.
pub(crate) fn read(
    core: &Arc<Core>,
    sender: Sender,
    expose: Expose,
    (method, params): (String, &RawJson),
    head: Option<&Head>,
) -> Result<Request, Failure> {
    let object = Object::of(params);
    let mut meta = Meta::of(&object);
    let revision = check_version(&meta, head.and_then(|head| head.version.as_deref()))?;
    let capabilities = meta.capabilities.take().ok_or_else(|| {
        Failure::invalid("`_meta` lacks `io.modelcontextprotocol/clientCapabilities`, which every request carries")
    })?;
    if let Some(head) = head {
        head.check(revision.as_str(), &method, params)?;
    }
    if sender.session_id.as_deref() == Some(NEW_SESSION) {
        return Err(Failure::invalid(
            "`session=new` belongs to `initialize`; a client of this revision names a session of POST /sessions/create",
        ));
    }
    let profile = match core.identity_of(&sender) {
        Some(identity) => ClientProfile::known_as(identity, capabilities),
        None => ClientProfile::new(capabilities),
    };
    let client = Client { revision, profile, log_level: meta.log_level, expose };
    Ok(Request {
        core: Arc::clone(core),
        client: Arc::new(client),
        sender,
        session: None,
        method,
        params: object,
        meta,
        param_headers: head.map(|head| head.params.clone()),
        listener: None,
    })
}

/// The revision of a modern request. `header` is absent over stdio.
fn check_version(meta: &Meta, header: Option<&str>) -> Result<Revision, Failure> {
    let Some(version) = &meta.version else {
        return Err(Failure::invalid(
            "`_meta` lacks `io.modelcontextprotocol/protocolVersion`, which every request of this revision carries",
        ));
    };
    if header.is_some_and(|header| header != version) {
        return Err(Failure::new(code::HEADER_MISMATCH, "the header MCP-Protocol-Version contradicts the body"));
    }
    if version != Revision::MODERN.as_str() {
        let failure = Failure::new(code::UNSUPPORTED_PROTOCOL_VERSION, "this revision of MCP is not spoken here");
        return Err(failure.with_data(&json!({ "supported": supported_versions(), "requested": version })));
    }
    Ok(Revision::MODERN)
}
