//! What goes on to a server: calls of tools, prompts, reads of resources, completions.

use gateway_core::{Context, ErrorKind, Offered, RawJson, Target, Tool, ToolCall};
use mcp_wire::{Object, code, header, with_member};

use crate::client::Sender;
use crate::config::Expose;
use crate::core::Request;
use crate::failure::Failure;
use crate::input::{Errand, RequestState, in_rounds, json_text};
use crate::search::{self, EXECUTE_TOOL, SEARCH_TOOLS};

/// `tools/call`.
pub(crate) async fn call_tool(request: &Request) -> Result<RawJson, Failure> {
    let name = named(request, "name")?;
    let arguments = request.params.get("arguments").filter(|arguments| arguments.as_str() != "null");
    let arguments = arguments.cloned().unwrap_or_else(RawJson::empty_object);
    if request.client.expose == Expose::Search && !request.core.config.pinned.contains(&name) {
        let arguments = Object::of(&arguments);
        return match name.as_str() {
            SEARCH_TOOLS => search::search(request, &arguments).await,
            EXECUTE_TOOL => execute(request, &arguments).await,
            _ => Err(Failure::invalid(format!("there is no tool `{}`", excerpt(&name)))),
        };
    }
    call(request, &request.sender, name, arguments).await
}

/// `tools/call` of [`EXECUTE_TOOL`].
async fn execute(request: &Request, arguments: &Object) -> Result<RawJson, Failure> {
    let sender = match session_of(request, arguments) {
        Ok(sender) => sender,
        Err(message) => return Ok(search::mistake(request, &message)),
    };
    let Some(name) = arguments.text("tool_name") else {
        return Ok(search::mistake(request, "`tool_name` is missing or no text: name a tool that search_tools found"));
    };
    let inner = arguments.get("args").filter(|args| args.as_str() != "null");
    let inner = inner.cloned().unwrap_or_else(RawJson::empty_object);
    match call(request, &sender, name, inner).await {
        Err(failure) => told(request, failure),
        result => result,
    }
}

/// A failure that a model can do something about becomes a result that it reads; others stay failures.
pub(crate) fn told(request: &Request, failure: Failure) -> Result<RawJson, Failure> {
    match failure.kind() {
        ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::Internal => Err(failure),
        _ => Ok(search::mistake(request, failure.message())),
    }
}

async fn call(request: &Request, sender: &Sender, name: String, arguments: RawJson) -> Result<RawJson, Failure> {
    let gateway = &request.core.gateway;
    let context = sender.admit(gateway, request.listener.clone()).await?;
    if let Some(headers) = &request.param_headers
        && request.client.expose == Expose::All
        && let Some(entry) = gateway.tool(&context, &name)
    {
        check_param_headers(&entry.tool, &arguments, headers)?;
    }
    let mut call = ToolCall::new(name, arguments);
    let mut extra = request.extra(&["name", "arguments"]);
    if let Some(RequestState::Server { server, state }) = RequestState::read(&request.params)? {
        // The state goes back to the server that it came from, whatever the name means by now.
        call.server = Some(server.to_string());
        extra = with_member(&extra, "requestState", json_text(&state).as_str());
    }
    in_rounds(request, &Errand::Call { context: &context, call: &call }, extra).await
}

/// Whether the headers say what the arguments say, where the tool wants arguments in headers (SEP-2243): whoever
/// looks only at the headers must not be deceived.
fn check_param_headers(tool: &Tool, arguments: &RawJson, headers: &[(String, String)]) -> Result<(), Failure> {
    let wanted = tool.param_headers();
    if wanted.is_empty() {
        return Ok(());
    }
    let arguments: serde_json::Value = arguments.read().unwrap_or_default();
    for param in wanted {
        let mut said = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(param.name()));
        let agrees = match (said.next(), said.next(), param.value(&arguments)) {
            (None, _, None) => true,
            (Some((_, header)), None, Some(value)) => header::decode_value(header).is_some_and(|said| *said == *value),
            _ => false,
        };
        if !agrees {
            let message = format!("the header Mcp-Param-{} is missing or contradicts the arguments", param.name());
            return Err(Failure::new(code::HEADER_MISMATCH, message));
        }
    }
    Ok(())
}

/// `prompts/get`.
pub(crate) async fn get_prompt(request: &Request) -> Result<RawJson, Failure> {
    let name = named(request, "name")?;
    let context = admit(request).await?;
    let offered = request.core.gateway.locate(&context, &Target::Prompt(name))?;
    forward(request, &context, &offered, "prompts/get", "name").await
}

/// `resources/read`. A legacy server says nothing about how long its answer holds.
pub(crate) async fn read_resource(request: &Request) -> Result<RawJson, Failure> {
    let uri = named(request, "uri")?;
    let context = admit(request).await?;
    let is_modern = request.client.is_modern();
    let located = request.core.gateway.locate(&context, &Target::Resource(uri.clone()));
    let offered = located.map_err(|error| Failure::of_resource(error, &uri, is_modern))?;
    let result = forward(request, &context, &offered, "resources/read", "uri").await;
    let result = result.map_err(|failure| failure.in_era(&uri, is_modern))?;
    if !is_modern {
        return Ok(result);
    }
    let said = Object::of(&result);
    let hints = [("cacheScope", "\"private\""), ("ttlMs", "0")];
    let missing = hints.into_iter().filter(|(name, _)| said.get(name).is_none());
    Ok(missing.fold(result, |result, (name, value)| with_member(&result, name, value)))
}

/// `completion/complete`.
pub(crate) async fn complete(request: &Request) -> Result<RawJson, Failure> {
    let reference = request.params.get("ref").ok_or_else(|| Failure::invalid("`ref` is missing"))?;
    let about = Object::of(reference);
    let (target, member) = match about.text("type").as_deref() {
        Some("ref/prompt") => (about.text("name").map(Target::Prompt), "name"),
        Some("ref/resource") => (about.text("uri").map(Target::ResourceTemplate), "uri"),
        _ => return Err(Failure::invalid("`ref.type` must be ref/prompt or ref/resource")),
    };
    let target = target.ok_or_else(|| Failure::invalid(format!("`ref.{member}` is missing or no text")))?;
    let context = admit(request).await?;
    let offered = request.core.gateway.locate(&context, &target)?;
    let reference = with_member(reference, member, json_text(&offered.key).as_str());
    let extra = with_member(&request.extra(&["ref"]), "ref", reference.as_str());
    send_to(request, &context, &offered, "completion/complete", extra).await
}

/// `resources/subscribe`: returns the URI that the client knows the resource by, and what keeps it watched.
pub(crate) async fn watch(
    request: &Request,
    context: &Context,
    uri: &str,
) -> Result<gateway_core::ResourceSubscription, Failure> {
    let gateway = &request.core.gateway;
    let located = gateway.locate(context, &Target::Resource(uri.to_owned()));
    let offered = located.map_err(|error| Failure::of_resource(error, uri, request.client.is_modern()))?;
    Ok(gateway.watch_resource(context, &offered).await?)
}

/// Sends a request on about something that its server calls otherwise.
async fn forward(
    request: &Request,
    context: &Context,
    offered: &Offered,
    method: &'static str,
    member: &'static str,
) -> Result<RawJson, Failure> {
    let mut extra = request.extra(&[member]);
    if let Some(RequestState::Server { server, state }) = RequestState::read(&request.params)? {
        if server != offered.server.spec().uuid() {
            return Err(Failure::invalid("`requestState` belongs to another server than the one that is meant now"));
        }
        extra = with_member(&extra, "requestState", json_text(&state).as_str());
    }
    send_to(request, context, offered, method, with_member(&extra, member, json_text(&offered.key).as_str())).await
}

async fn send_to(
    request: &Request,
    context: &Context,
    offered: &Offered,
    method: &'static str,
    params: RawJson,
) -> Result<RawJson, Failure> {
    in_rounds(request, &Errand::Relay { context, server: &offered.server, method }, params).await
}

async fn admit(request: &Request) -> Result<Context, Failure> {
    if request.client.expose == Expose::Search {
        return Err(Failure::no_such_method(&request.method));
    }
    Ok(request.sender.admit(&request.core.gateway, request.listener.clone()).await?)
}

/// The sender in the session that the arguments name, or in the one at hand.
pub(crate) fn session_of(request: &Request, arguments: &Object) -> Result<Sender, String> {
    match arguments.get("session_id").filter(|id| id.as_str() != "null") {
        None => Ok(request.sender.clone()),
        Some(id) => match id.read::<String>() {
            Ok(id) if id.is_empty() => Ok(request.sender.clone()),
            Ok(id) => Ok(request.sender.in_session(Some(id))),
            Err(_) => Err("`session_id` must be a text".to_owned()),
        },
    }
}

/// The text of the member that says what a request is about.
pub(crate) fn named(request: &Request, member: &'static str) -> Result<String, Failure> {
    let name = request.params.text(member).filter(|name| !name.is_empty());
    name.ok_or_else(|| Failure::invalid(format!("`{member}` is missing or no text")))
}

fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
