//! `/sessions`.

use std::time::{Duration, SystemTime};

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::response::Response;
use bytes::Bytes;
use gateway_core::{ErrorKind, NewSession, RawJson, SessionStatus};
use http_server::{Caller, is_session_id};

use crate::answer;
use crate::body::{SMALL_LIMIT, parse, read_optional_json};
use crate::door::Door;
use crate::openapi::{BodyRefusals, Refusals, Shortage};
use crate::problem::Problem;
use crate::time::rfc3339;
use crate::wire::{
    ByUuid, CreateSessionAnswer, CreateSessionBody, DeleteSessionAnswer, ListedSession, SessionAnswer,
    SessionConnection, SessionsAnswer,
};

/// The parameters of a path; unreadable where they are not UTF-8.
type SessionPath = Result<RawPathParams, RawPathParamsRejection>;

/// Most bytes that a session may keep for its maker.
const METADATA_LIMIT: usize = 16 * 1024;

/// Makes a session. It begins with the servers of the servers file and shares none with other sessions.
#[utoipa::path(
    post,
    path = "/sessions/create",
    operation_id = "create_session",
    tag = "sessions",
    request_body = Option<CreateSessionBody<'static>>,
    responses((status = 200, description = "the session", body = CreateSessionAnswer<'static>), Refusals, BodyRefusals, Shortage),
)]
pub(crate) async fn create(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let text = read_optional_json(&door, &caller, request, SMALL_LIMIT).await?;
    let new = text.as_ref().map(read_new).transpose()?.unwrap_or_default();
    let context = caller.admit(&door.gateway).await?;
    let session = door.gateway.create_session(&context, new).await?;
    let response = answer::json(&CreateSessionAnswer {
        success: true,
        session_id: &session.id,
        created_at: rfc3339(session.created_at),
        expires_at: rfc3339(session.expires_at),
        metadata: &session.metadata,
        servers_loaded: session.servers.len(),
        servers: ByUuid(session.servers.iter().map(|server| (server.spec.uuid(), server.spec.name())).collect()),
    })?;
    Ok(answer::with_header(response, "x-session-id", &session.id))
}

/// One session.
#[utoipa::path(
    get,
    path = "/sessions/{id}",
    operation_id = "show_session",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 200, description = "the session", body = SessionAnswer<'static>), Refusals),
)]
pub(crate) async fn show(State(door): State<Door>, caller: Caller, path: SessionPath) -> Result<Response, Problem> {
    let id = named_session(&path)?;
    let context = caller.admit(&door.gateway).await?;
    let session = door.gateway.session(&context, id).await?;
    let connections = session.servers.iter().map(|server| SessionConnection {
        uuid: server.spec.uuid(),
        name: server.spec.name(),
        transport: server.spec.transport(),
        tools_count: server.tools.len(),
        tools: &server.tools,
        state: server.state,
    });
    answer::json(&SessionAnswer {
        session_id: &session.id,
        created_at: rfc3339(session.created_at),
        last_accessed: rfc3339(session.last_accessed),
        expires_at: rfc3339(session.expires_at),
        active: session.expires_at > SystemTime::now(),
        metadata: &session.metadata,
        connections: connections.collect(),
        total_tools: total_tools(&session),
    })
}

/// The caller's sessions.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    responses((status = 200, description = "the sessions", body = SessionsAnswer<'static>), Refusals),
)]
pub(crate) async fn list(State(door): State<Door>, caller: Caller) -> Result<Response, Problem> {
    let context = caller.admit(&door.gateway).await?;
    let sessions = door.gateway.sessions(&context).await?;
    let listed = sessions.iter().map(|session| ListedSession {
        session_id: &session.id,
        created_at: rfc3339(session.created_at),
        last_accessed: rfc3339(session.last_accessed),
        expires_at: rfc3339(session.expires_at),
        connections_count: session.servers.len(),
        tools_count: total_tools(session),
        metadata: &session.metadata,
    });
    answer::json(&SessionsAnswer { sessions: listed.collect(), total: sessions.len() })
}

/// Ends a session. Its connections and child processes are gone before the answer.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    operation_id = "delete_session",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 200, description = "it is gone", body = DeleteSessionAnswer<'static>), Refusals),
)]
pub(crate) async fn delete(State(door): State<Door>, caller: Caller, path: SessionPath) -> Result<Response, Problem> {
    let id = named_session(&path)?;
    let context = caller.admit(&door.gateway).await?;
    door.gateway.delete_session(&context, id).await?;
    answer::json(&DeleteSessionAnswer { success: true, deleted_session_id: id })
}

fn read_new(text: &Bytes) -> Result<NewSession, Problem> {
    let body: CreateSessionBody<'_> = parse(text)?;
    let metadata = match body.metadata.map(|raw| RawJson::slice_of(text, raw)) {
        Some(metadata) if !metadata.is_object() => {
            return Err(Problem::invalid("metadata must be an object"));
        }
        Some(metadata) if metadata.as_bytes().len() > METADATA_LIMIT => {
            return Err(Problem::of_kind(
                ErrorKind::TooLarge,
                format!("metadata has more than {METADATA_LIMIT} bytes"),
            ));
        }
        // A copy, so that the session does not keep the whole request.
        metadata => metadata.map(|metadata| metadata.detached()),
    };
    if body.ttl_seconds == Some(0) {
        return Err(Problem::invalid("ttl_seconds must be at least 1"));
    }
    Ok(NewSession { metadata, ttl: body.ttl_seconds.map(Duration::from_secs) })
}

/// The session that a path names. What cannot be an id is the id of no session.
fn named_session(path: &SessionPath) -> Result<&str, Problem> {
    let params = path.as_ref().ok().into_iter().flatten();
    let id = params.filter(|(name, _)| *name == "id").map(|(_, id)| id).next();
    id.filter(|id| is_session_id(id))
        .ok_or_else(|| Problem::of_kind(ErrorKind::NotFound, "there is no session with this id"))
}

fn total_tools(session: &SessionStatus) -> usize {
    session.servers.iter().map(|server| server.tools.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_new_sessions() {
        let check = |body: String, expected: Option<(Option<&str>, Option<u64>)>| {
            let read = read_new(&Bytes::from(body.clone())).ok();
            let read = read
                .as_ref()
                .map(|new| (new.metadata.as_ref().map(RawJson::as_str), new.ttl.as_ref().map(Duration::as_secs)));
            assert_eq!(read, expected, "{body}");
        };
        check("{}".to_owned(), Some((None, None)));
        check(r#"{"metadata":{"a" :1.0},"ttl_seconds":5}"#.to_owned(), Some((Some(r#"{"a" :1.0}"#), Some(5))));
        check(r#"{"metadata":null,"ttl_seconds":null}"#.to_owned(), Some((None, None)));
        for bad in
            [r#"{"metadata":[]}"#, r#"{"ttl_seconds":0}"#, r#"{"ttl_seconds":-1}"#, r#"{"ttl_seconds":1.5}"#, "[]"]
        {
            check(bad.to_owned(), None);
        }
        check(format!(r#"{{"metadata":{{"a":"{}"}}}}"#, "x".repeat(METADATA_LIMIT)), None);
    }
}
