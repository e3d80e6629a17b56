//! `/openapi.json`: the door described by its own handlers.

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use utoipa::openapi::Deprecated;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use crate::wire::ProblemBody;
use crate::{answer, execute, health, requests, search, servers, sessions, tools, usage};

/// The description of this door in OpenAPI 3.1, as `/openapi.json` answers it.
#[derive(OpenApi)]
#[openapi(
    info(title = "MCP gateway", description = "Finds and runs tools of many MCP servers."),
    paths(
        search::search,
        execute::execute,
        requests::show,
        tools::list,
        servers::list,
        servers::add,
        servers::remove,
        sessions::create,
        sessions::list,
        sessions::show,
        sessions::delete,
        health::health,
        health::livez,
        health::readyz,
        health::metrics,
        usage::usage,
        document,
    ),
    components(schemas(ProblemBody)),
    modifiers(&Keys, &OldSpellings),
    security((), ("bearer" = []), ("api_key" = [])),
)]
struct Description;

/// How callers show who they are.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let key = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(key));
    }
}

/// The paths of the original gateway, which lead to the same handlers.
struct OldSpellings;

impl Modify for OldSpellings {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for (old, new) in OLD_SPELLINGS {
            let mut item = openapi.paths.paths.get(new).cloned().expect("the new spelling is described");
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                operation.deprecated = Some(Deprecated::True);
                operation.operation_id = operation.operation_id.as_ref().map(|id| format!("{id}_old"));
            }
            openapi.paths.paths.insert(old.to_owned(), item);
        }
    }
}

/// Each old path with the one that is written now.
const OLD_SPELLINGS: [(&str, &str); 3] =
    [("/tools", "/mcp/tools"), ("/tool", "/mcp/execute"), ("/add-server", "/mcp/servers/add")];

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "health",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), GuardRefusals),
)]
pub(crate) async fn document() -> Response {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| Description::openapi().to_json().expect("the description is plain data").into());
    answer::of_type("application/json", Body::from(TEXT.clone()))
}

/// Refusals that every path knows.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum GuardRefusals {
    /// The request itself is wrong.
    #[response(status = 400)]
    Invalid(ProblemBody),
    /// The host name or the web page may not use the gateway.
    #[response(status = 403)]
    Forbidden(ProblemBody),
    /// The headers are too long or too many.
    #[response(status = 431)]
    Headers(ProblemBody),
    /// The gateway is wrong.
    #[response(status = 500)]
    Internal(ProblemBody),
}

/// Refusals of paths that ask the engine.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum Refusals {
    /// The request itself is wrong.
    #[response(status = 400)]
    Invalid(ProblemBody),
    /// The key is missing or wrong.
    #[response(status = 401)]
    Unauthenticated(ProblemBody),
    /// The host name, the web page or the caller may not do this.
    #[response(status = 403)]
    Forbidden(ProblemBody),
    /// A session, server or tool of this name does not exist.
    #[response(status = 404)]
    NotFound(ProblemBody),
    /// The headers are too long or too many.
    #[response(status = 431)]
    Headers(ProblemBody),
    /// The gateway is wrong.
    #[response(status = 500)]
    Internal(ProblemBody),
    /// Something that the gateway needs cannot be reached, or the gateway is being stopped.
    #[response(status = 503)]
    Unavailable(ProblemBody),
}

/// Refusals of paths that read a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum BodyRefusals {
    /// The body did not arrive in time, or the caller's own time limit has passed.
    #[response(status = 408)]
    Timeout(ProblemBody),
    /// The body is too long.
    #[response(status = 413)]
    TooLarge(ProblemBody),
    /// The body is no JSON.
    #[response(status = 415)]
    MediaType(ProblemBody),
}

/// Failures of a call.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum CallFailures {
    /// The name is ambiguous; `details` has the candidates.
    #[response(status = 409)]
    Conflict(ProblemBody),
    /// The tool does not take these arguments.
    #[response(status = 422)]
    Arguments(ProblemBody),
    /// A limit is used up; `Retry-After` says when to come back.
    #[response(status = 429)]
    RateLimited(ProblemBody),
    /// The call was cancelled.
    #[response(status = 499)]
    Cancelled(ProblemBody),
    /// The server broke the protocol or died.
    #[response(status = 502)]
    Upstream(ProblemBody),
    /// The server did not answer in time.
    #[response(status = 504)]
    UpstreamTimeout(ProblemBody),
}

/// Limits on how many there may be.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum Shortage {
    /// There are too many; `Retry-After` says when to come back.
    #[response(status = 429)]
    RateLimited(ProblemBody),
}

/// Refusals of requests that are queued.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum QueueRefusals {
    /// Another request has this `X-Request-ID`.
    #[response(status = 409)]
    Conflict(ProblemBody),
    /// The queue is full; `Retry-After` says when to come back.
    #[response(status = 429)]
    RateLimited(ProblemBody),
}

/// The gateway is on its way out.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
pub(crate) enum Stopping {
    /// The gateway is being stopped.
    #[response(status = 503)]
    Unavailable(ProblemBody),
}
