//! `/mcp/servers`: which servers there are.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use gateway_core::mcp_servers::{self, Policy, Variables};
use gateway_core::{Endpoint, ServerSelector, ServerSpec, ServerStatus};
use http_server::Caller;

use crate::answer;
use crate::body::{SMALL_LIMIT, parse, read_json};
use crate::door::Door;
use crate::openapi::{BodyRefusals, Refusals};
use crate::problem::Problem;
use crate::wire::{
    AddServersAnswer, AddServersBody, AddedServer, ByUuid, FailedServer, ListedServer, RejectedTool,
    RemoveServerAnswer, RemoveServerBody, ServersAnswer,
};

/// The servers, and how they are.
#[utoipa::path(
    get,
    path = "/mcp/servers",
    operation_id = "list_servers",
    tag = "servers",
    params(("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent")),
    responses((status = 200, description = "the servers", body = ServersAnswer<'static>), Refusals),
)]
pub(crate) async fn list(State(door): State<Door>, caller: Caller) -> Result<Response, Problem> {
    let context = caller.admit(&door.gateway).await?;
    let servers = door.gateway.servers(&context);
    let addresses: Vec<_> = servers.iter().map(|server| address(&server.spec)).collect();
    let listed = servers.iter().zip(&addresses).map(|(server, address)| {
        let listed = ListedServer {
            name: server.spec.name(),
            transport: server.spec.transport(),
            tool_count: server.tools.len(),
            tools: &server.tools,
            state: server.state,
            last_error: server.last_error.as_deref(),
            stderr_tail: &server.stderr_tail,
            command: program(&server.spec),
            url: address.as_deref(),
            shared: server.spec.shared(),
            protocol_version: server.protocol_version.as_deref(),
            process_id: server.process_id,
            rejected_tools: server
                .rejected
                .iter()
                .map(|rejected| RejectedTool { name: rejected.name.as_deref(), reason: &rejected.reason })
                .collect(),
            warnings: &server.warnings,
        };
        (server.spec.uuid(), listed)
    });
    answer::json(&ServersAnswer {
        servers: ByUuid(listed.collect()),
        total: servers.len(),
        session_id: caller.session_id.as_deref(),
    })
}

/// Adds servers. One bad entry never stops the good ones.
#[utoipa::path(
    post,
    path = "/mcp/servers/add",
    operation_id = "add_servers",
    tag = "servers",
    params(("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent")),
    request_body = AddServersBody<'static>,
    responses((status = 200, description = "what became of each", body = AddServersAnswer<'static>), Refusals, BodyRefusals),
)]
pub(crate) async fn add(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    caller.may_change_servers()?;
    let text = read_json(&door, &caller, request, usize::MAX).await?;
    let list = servers_text(&text)?;
    let context = caller.admit(&door.gateway).await?;
    let config = door.config();
    let lookup = |name: &str| config.variables.get(name);
    let variables =
        if door.gateway.may_start_programs(&context).is_ok() { Variables::From(&lookup) } else { Variables::Refused };
    let entries = mcp_servers::parse_with(&list, &Policy { variables, limits: config.server_limits.clone() })?;
    let mut specs = Vec::new();
    let mut failed = Vec::new();
    for entry in entries {
        match entry {
            Ok(spec) => specs.push(spec),
            Err(error) => failed.push((error.name, error.error.message().to_owned())),
        }
    }
    let mut report = door.gateway.add_servers(&context, specs).await?;
    failed.append(&mut report.failed);
    let addresses: Vec<_> = report.added.iter().map(|server| address(&server.spec)).collect();
    answer::json(&AddServersAnswer {
        success: failed.is_empty(),
        added_servers: report.added.iter().zip(&addresses).map(added).collect(),
        failed_servers: failed.iter().map(|(name, error)| FailedServer { name, error }).collect(),
        total_servers: report.total,
        session_id: caller.session_id.as_deref(),
        total_servers_in_session: caller.session_id.as_ref().map(|_| report.total),
    })
}

/// Removes a server.
#[utoipa::path(
    post,
    path = "/mcp/servers/remove",
    operation_id = "remove_server",
    tag = "servers",
    params(("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent")),
    request_body = RemoveServerBody,
    responses((status = 200, description = "it is gone", body = RemoveServerAnswer<'static>), Refusals, BodyRefusals),
)]
pub(crate) async fn remove(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    caller.may_change_servers()?;
    let text = read_json(&door, &caller, request, SMALL_LIMIT).await?;
    let selector = read_selector(parse(&text)?)?;
    let context = caller.admit(&door.gateway).await?;
    let report = door.gateway.remove_server(&context, selector).await?;
    answer::json(&RemoveServerAnswer {
        success: true,
        removed_server: report.removed.name(),
        removed_server_uuid: report.removed.uuid(),
        removed_tools_count: report.removed_tools,
        remaining_servers: ByUuid(report.remaining.iter().map(|spec| (spec.uuid(), spec.name())).collect()),
        total_servers: report.remaining.len(),
        session_id: caller.session_id.as_deref(),
        remaining_servers_in_session: caller.session_id.as_ref().map(|_| report.remaining.len()),
    })
}

fn added<'a>((server, address): (&'a ServerStatus, &'a Option<String>)) -> AddedServer<'a> {
    AddedServer {
        name: server.spec.name(),
        uuid: server.spec.uuid(),
        command: program(&server.spec),
        url: address.as_deref(),
        transport: server.spec.transport(),
        tools_count: server.tools.len(),
        state: server.state,
    }
}

/// The text `{"mcpServers": {...}}` of a body, whichever of the three ways it came in.
fn servers_text(text: &Bytes) -> Result<Cow<'_, str>, Problem> {
    let body: AddServersBody<'_> = parse(text)?;
    match (body.config_data, body.mcp_servers) {
        (Some(_), Some(_)) => Err(Problem::invalid("config_data and mcpServers are both there; send one of them")),
        (Some(raw), None) if raw.get().starts_with('"') => {
            let unquoted = serde_json::from_str(raw.get()).map(Cow::Owned);
            unquoted.map_err(|_| Problem::invalid("config_data is text that is not valid Unicode"))
        }
        (Some(raw), None) if raw.get().starts_with('{') => Ok(Cow::Borrowed(raw.get())),
        (Some(_), None) => Err(Problem::invalid("config_data must be an object, or JSON text of one")),
        (None, Some(servers)) => Ok(Cow::Owned(format!("{{\"mcpServers\":{}}}", servers.get()))),
        (None, None) => {
            Err(Problem::invalid("config_data is missing; send {\"config_data\": {\"mcpServers\": {\"NAME\": {...}}}}"))
        }
    }
}

fn read_selector(body: RemoveServerBody) -> Result<ServerSelector, Problem> {
    match (body.server_uuid, body.server_name) {
        (Some(uuid), _) => match uuid.parse() {
            Ok(uuid) => Ok(ServerSelector::Uuid(uuid)),
            Err(_) => Err(Problem::invalid("server_uuid is no UUID")),
        },
        (None, Some(name)) => Ok(ServerSelector::Name(name)),
        (None, None) => Err(Problem::invalid("server_uuid and server_name are both missing; send one of them")),
    }
}

/// The program of a server; never its arguments, which may hold secrets.
fn program(spec: &ServerSpec) -> Option<&str> {
    match spec.endpoint() {
        Endpoint::Command(command) => Some(&command.program),
        Endpoint::Url(_) => None,
    }
}

/// The address of a server without what may be secret in it: user, password, query.
fn address(spec: &ServerSpec) -> Option<String> {
    let Endpoint::Url(url) = spec.endpoint() else { return None };
    let without_query = url.url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = without_query.split_once("://") else { return Some(String::new()) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    Some(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use gateway_core::Url;

    use super::*;

    #[test]
    fn takes_the_list_in_three_ways() {
        let check = |body: &'static str, expected: Option<&str>| {
            let text = Bytes::from_static(body.as_bytes());
            assert_eq!(servers_text(&text).ok().as_deref(), expected, "{body}");
        };
        check(r#"{"config_data":"{\"mcpServers\":{}}"}"#, Some(r#"{"mcpServers":{}}"#));
        check(r#"{"config_data":{"mcpServers":{ }}}"#, Some(r#"{"mcpServers":{ }}"#));
        check(r#"{"mcpServers":{"a":1}}"#, Some(r#"{"mcpServers":{"a":1}}"#));
        check(r#"{"config_data":[]}"#, None);
        check(r#"{"config_data":{},"mcpServers":{}}"#, None);
        check(r#"{"config_data":"\ud800"}"#, None);
        check("{}", None);
    }

    #[test]
    fn shows_no_secret_of_an_address() {
        let check = |url: &str, expected: &str| {
            let endpoint = Endpoint::Url(Url { url: url.to_owned(), ..Url::default() });
            let spec = ServerSpec::new("a", "http", endpoint).expect("valid");
            assert_eq!(address(&spec).as_deref(), Some(expected));
        };
        check("https://user:hush@host:1/mcp?key=hush#hush", "https://host:1/mcp");
        check("http://a@b@host?x=hush", "http://host");
        check("https://host/a@b", "https://host/a@b");
        check("nonsense", "");
    }
}
