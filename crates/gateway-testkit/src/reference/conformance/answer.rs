//! Which request is answered where.

use super::{complete, declarations, prompts, resources, tools};
use crate::reference::peer::{Peer, Request, list_head};
use crate::reference::server::{Frame, Outlet};
use crate::reference::wire::{Fault, Params, notification};

/// What the fixture answers; `None` for what every reference server answers alike.
pub(in crate::reference) async fn result(
    peer: &Peer,
    request: &Request,
    params: &Params<'_>,
) -> Option<Result<String, Fault>> {
    let (server, modern, cursor) = (&peer.server, request.arrival.modern, params.cursor.as_deref());
    let list = |key: &str, items: &[String]| {
        server.page(key, items, cursor).map(|page| format!("{{{}{page}}}", list_head(modern)))
    };
    Some(match request.method.as_str() {
        "tools/call" => tools::call(peer, request, params).await,
        "prompts/list" => list("prompts", &server.prompts()),
        "prompts/get" => prompts::get(peer, request, params).await,
        "resources/list" => list("resources", &declarations::resources()),
        "resources/templates/list" => list("resourceTemplates", &declarations::templates()),
        "resources/read" => resources::read(params, modern),
        "completion/complete" => complete::complete(request.params.get(), modern),
        // These three went with 2026-07-28.
        "resources/subscribe" if !modern => peer.session.watch(params),
        "resources/unsubscribe" if !modern => peer.session.unwatch(params),
        "logging/setLevel" if !modern => peer.session.set_level(request.params.get()),
        _ => return None,
    })
}

/// Sends a notification beside an answer.
pub(super) fn notify(outlet: &Outlet, method: &str, params: &str) {
    outlet.send(Frame::Other(notification(method, params)));
}

/// How a modern result begins.
pub(super) fn head(modern: bool) -> &'static str {
    if modern { r#""resultType":"complete","# } else { "" }
}
