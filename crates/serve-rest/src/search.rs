//! `POST /mcp/search`.

use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::response::Response;
use gateway_core::SearchRequest;
use http_server::Caller;

use crate::answer;
use crate::body::{SMALL_LIMIT, parse, read_json};
use crate::door::Door;
use crate::openapi::{BodyRefusals, Refusals};
use crate::problem::Problem;
use crate::time::unix_float;
use crate::wire::{FoundTool, SearchAnswer, SearchBody};

const DEFAULT_LIMIT: u64 = 5;
const MAX_LIMIT: u64 = 50;

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
    let request = read_search(parse(&text)?)?;
    let context = caller.admit(&door.gateway).await?;
    let reply = door.gateway.search(&context, request).await?;
    let result = reply.matches.iter().map(|found| FoundTool {
        mcp_server: &found.tool.server,
        mcp_server_uuid: found.tool.server_uuid,
        tool_name: found.tool.tool.name(),
        qualified_name: &found.tool.qualified_name,
        description: found.tool.tool.description(),
        input_schema: found.tool.tool.input_schema(),
        match_score: if found.score.is_finite() { found.score.clamp(0.0, 1.0) } else { 0.0 },
        reasoning: &found.reasoning,
    });
    answer::json(&SearchAnswer {
        request_id: &caller.request_id,
        status: "completed",
        timestamp: unix_float(SystemTime::now()),
        session_id: caller.session_id.as_deref(),
        router: &reply.router,
        took_ms: reply.took.as_micros() as f64 / 1000.0,
        result: result.collect(),
    })
}

fn read_search(body: SearchBody) -> Result<SearchRequest, Problem> {
    let Some(query) = body.query.filter(|query| !query.trim().is_empty()) else {
        return Err(Problem::invalid("query is missing or empty; say what the tool should do"));
    };
    let limit = body.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::invalid(format!("limit must be in 1..={MAX_LIMIT}")));
    }
    let min_score = body.min_score.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&min_score) {
        return Err(Problem::invalid("min_score must be in 0..=1"));
    }
    Ok(SearchRequest {
        query,
        limit: usize::try_from(limit).expect("at most 50"),
        servers: body.servers,
        min_score: min_score as f32,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn reads_searches() {
        let check = |body: &'static str, expected: Option<(usize, f32)>| {
            let read = parse(&Bytes::from_static(body.as_bytes())).and_then(read_search).ok();
            assert_eq!(read.map(|request| (request.limit, request.min_score)), expected, "{body}");
        };
        check(r#"{"query":"x"}"#, Some((5, 0.0)));
        check(r#"{"query":"x","limit":50,"min_score":1,"servers":["a"],"more":1}"#, Some((50, 1.0)));
        check(r#"{"query":"x","limit":null,"min_score":null,"servers":null}"#, Some((5, 0.0)));
        for bad in [
            "{}",
            r#"{"query":null}"#,
            r#"{"query":""}"#,
            r#"{"query":" \n"}"#,
            r#"{"query":["x"]}"#,
            r#"{"query":"x","limit":0}"#,
            r#"{"query":"x","limit":51}"#,
            r#"{"query":"x","limit":"5"}"#,
            r#"{"query":"x","min_score":1.01}"#,
            r#"{"query":"x","min_score":-1}"#,
            r#"{"query":"x","servers":"a"}"#,
        ] {
            check(bad, None);
        }
    }
}
