//! `POST /mcp/search`.

use std::time::SystemTime;

use answer_json::found_tools;
use axum::extract::{Request, State};
use axum::response::Response;
use http_server::Caller;

use crate::answer;
use crate::body::{SMALL_LIMIT, parse, read_json};
use crate::door::Door;
use crate::openapi::{BodyRefusals, Refusals};
use crate::problem::Problem;
use crate::time::unix_float;
use crate::wire::{SearchAnswer, SearchBody};

/// Finds tools by a description of what is wanted.
#[utoipa::path(
    post,
    path = "/mcp/search",
    operation_id = "search_tools",
    tag = "tools",
    params(("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent")),
    request_body = SearchBody,
    responses((status = 200, description = "what was found", body = SearchAnswer<'static>), Refusals, BodyRefusals),
)]
pub(crate) async fn search(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let text = read_json(&door, &caller, request, SMALL_LIMIT).await?;
    let request = parse::<answer_json::SearchBody>(&text)?.request()?;
    let context = caller.admit(&door.gateway).await?;
    let reply = door.gateway.search(&context, request).await?;
    answer::json(&SearchAnswer {
        request_id: &caller.request_id,
        status: "completed",
        timestamp: unix_float(SystemTime::now()),
        session_id: caller.session_id.as_deref(),
        router: &reply.router,
        took_ms: reply.took.as_micros() as f64 / 1000.0,
        result: found_tools(&reply.matches),
    })
}
