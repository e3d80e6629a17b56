//! `POST /mcp/search`.

use std::time::SystemTime;

use answer_json::found_tools;
use axum::extract::{Request, State};
use axum::response::Response;
use http_server::Caller;

use crate::answer;
use crate::body::{SMALL_LIMIT, parse, read_json};
use crate::door::Door;
use crate::openapi::{BodyRefusals, QueueRefusals, Refusals};
use crate::problem::Problem;
use crate::requests;
use crate::time::unix_float;
use crate::wire::{QueuedAnswer, SearchAnswer, SearchBody};

/// Finds tools by a description of what is wanted.
#[utoipa::path(
    post,
    path = "/mcp/search",
    operation_id = "search_tools",
    tag = "tools",
    params(
        ("X-Session-ID" = Option<String>, Header, description = "the session; the default one when absent"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: queue it, and answer later"),
    ),
    request_body = SearchBody,
    responses(
        (status = 200, description = "what was found", body = SearchAnswer<'static>),
        (status = 202, description = "the search is queued; `Location` says where its answer will be", body = QueuedAnswer),
        Refusals, BodyRefusals, QueueRefusals,
    ),
)]
pub(crate) async fn search(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let later = requests::is_preferred(request.headers());
    let text = read_json(&door, &caller, request, SMALL_LIMIT).await?;
    let request = parse::<answer_json::SearchBody>(&text)?.request()?;
    let context = caller.admit(&door.gateway).await?;
    if later && let Some(queue) = door.queue() {
        return requests::enqueue(queue, &caller, &context, "mcp_search", &text).await;
    }
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
