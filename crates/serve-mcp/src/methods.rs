//! Which method does what.

use gateway_core::{LogLevel, OfferKind, RawJson};

use crate::client::Sender;
use crate::config::Expose;
use crate::core::Request;
use crate::failure::Failure;
use crate::{describe, lists, relay, spans};

/// Whether a request of this method goes on to a server, so that something may come before its answer.
pub(crate) fn is_relayed(method: &str) -> bool {
    matches!(method, "tools/call" | "prompts/get" | "resources/read" | "completion/complete")
}

/// Answers a request. `initialize` and `subscriptions/listen` are not answered here: the one opens what others
/// need, the other goes on.
pub(crate) async fn respond(mut request: Request) -> Result<RawJson, Failure> {
    let span = spans::begin(&mut request);
    let answer = answer(request).await;
    if let Some(span) = span {
        spans::end(span, &answer);
    }
    answer
}

async fn answer(request: Request) -> Result<RawJson, Failure> {
    let is_modern = request.client.is_modern();
    match request.method.as_str() {
        "tools/call" => relay::call_tool(&request).await,
        "tools/list" => lists::tools(&request).await,
        "prompts/list" => lists::offers(&request, OfferKind::Prompt).await,
        "prompts/get" => relay::get_prompt(&request).await,
        "resources/list" => lists::offers(&request, OfferKind::Resource).await,
        "resources/templates/list" => lists::offers(&request, OfferKind::ResourceTemplate).await,
        "resources/read" => relay::read_resource(&request).await,
        "completion/complete" => relay::complete(&request).await,
        "server/discover" if is_modern => discover(&request).await,
        "ping" if !is_modern => Ok(RawJson::empty_object()),
        "logging/setLevel" if !is_modern => set_log_level(&request).await,
        "resources/subscribe" if !is_modern => subscribe(&request).await,
        "resources/unsubscribe" if !is_modern => unsubscribe(&request),
        other => Err(Failure::no_such_method(other)),
    }
}

async fn discover(request: &Request) -> Result<RawJson, Failure> {
    let Request { core, sender, .. } = request;
    let context = sender.admit(&core.gateway, None).await?;
    Ok(describe::discovered(&core.gateway, &context, request.client.expose))
}

async fn set_log_level(request: &Request) -> Result<RawJson, Failure> {
    let level = request.params.text("level").and_then(|level| LogLevel::parse(&level)).ok_or_else(|| {
        Failure::invalid("`level` must be one of debug, info, notice, warning, error, critical, alert, emergency")
    })?;
    let context = admit(&request.sender, request).await?;
    if let Some(session) = &request.session {
        session.set_log_level(level);
    }
    request.core.gateway.set_log_level(&context, level).await;
    Ok(RawJson::empty_object())
}

async fn subscribe(request: &Request) -> Result<RawJson, Failure> {
    let session = session_of(request)?;
    let uri = relay::named(request, "uri")?;
    let context = admit(&request.sender, request).await?;
    let subscription = relay::watch(request, &context, &uri).await?;
    session.watch(uri, subscription)?;
    Ok(RawJson::empty_object())
}

fn unsubscribe(request: &Request) -> Result<RawJson, Failure> {
    let uri = relay::named(request, "uri")?;
    session_of(request)?.unwatch(&uri);
    Ok(RawJson::empty_object())
}

fn session_of(request: &Request) -> Result<&crate::session::Session, Failure> {
    let session = request.session.as_deref().filter(|session| session.expose == Expose::All);
    session.ok_or_else(|| Failure::no_such_method(&request.method))
}

async fn admit(sender: &Sender, request: &Request) -> Result<gateway_core::Context, Failure> {
    Ok(sender.admit(&request.core.gateway, None).await?)
}
