//! `subscriptions/listen` (2026-07-28, "Subscriptions").

use gateway_core::{Context, RawJson};
use mcp_wire::{Id, Object};
use serde_json::json;

use crate::client::Client;
use crate::config::Expose;
use crate::core::Request;
use crate::failure::Failure;
use crate::feed::Subscription;
use crate::relay;
use crate::wished::MAX_SUBSCRIPTIONS;

/// Begins what a client asked to hear.
pub(crate) async fn begin(request: &Request, id: Id) -> Result<(Context, Subscription), Failure> {
    let context = request.sender.admit(&request.core.gateway, None).await?;
    let wanted = request.params.get("notifications").filter(|wanted| wanted.is_object());
    let wanted = Object::of(wanted.ok_or_else(|| Failure::invalid("`notifications` is missing or no object"))?);
    let wants = |name: &str| wanted.get(name).is_some_and(|wanted| wanted.as_str() == "true");
    let shows_all = request.client.expose == Expose::All;
    let tools = wants("toolsListChanged");
    let (prompts, resources) = (shows_all && wants("promptsListChanged"), shows_all && wants("resourcesListChanged"));
    let uris = match wanted.get("resourceSubscriptions").filter(|uris| uris.as_str() != "null") {
        None => Vec::new(),
        Some(uris) => uris
            .read::<Vec<String>>()
            .map_err(|_| Failure::invalid("`resourceSubscriptions` must be a list of URIs"))?,
    };
    if uris.len() > MAX_SUBSCRIPTIONS {
        return Err(Failure::invalid(format!("more than {MAX_SUBSCRIPTIONS} resources cannot be watched at once")));
    }
    let mut watched = Vec::new();
    for uri in uris.into_iter().filter(|_| shows_all) {
        match relay::watch(request, &context, &uri).await {
            Ok(subscription) => watched.push((uri, subscription)),
            // What is granted says that this is not; the rest is.
            Err(failure) => tracing::debug!(message = failure.message(), "a resource cannot be watched"),
        }
    }
    let mut granted = serde_json::Map::new();
    for (name, is_granted) in
        [("toolsListChanged", tools), ("promptsListChanged", prompts), ("resourcesListChanged", resources)]
    {
        if is_granted {
            granted.insert(name.to_owned(), true.into());
        }
    }
    if !watched.is_empty() {
        let uris: Vec<_> = watched.iter().map(|(uri, _)| uri).collect();
        granted.insert("resourceSubscriptions".to_owned(), json!(uris));
    }
    let granted = RawJson::from_value(&granted).unwrap_or_else(|_| RawJson::empty_object());
    let Client { revision, profile, log_level, expose } = &*request.client;
    let client = Client { revision: *revision, profile: profile.clone(), log_level: *log_level, expose: *expose };
    let (id_text, marks) = (id_text(&id), request.core.gateway.list_marks(&context));
    Ok((context, Subscription { id, id_text, client, tools, prompts, resources, watched, marks, granted }))
}

fn id_text(id: &Id) -> RawJson {
    match id {
        Id::Number(number) => RawJson::from_value(number).unwrap_or_else(|_| RawJson::empty_object()),
        Id::String(text) => crate::input::json_text(text),
        Id::Other(raw) => raw.clone(),
    }
}
