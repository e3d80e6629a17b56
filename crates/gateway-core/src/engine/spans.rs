//! What the engine's spans say: those of calls and searches.
//!
//! Names and attributes are those of OpenTelemetry's conventions for MCP where they have some
//! (<https://github.com/open-telemetry/semantic-conventions-genai>, `docs/gen-ai/mcp.md`), and `gateway.*` else. A
//! session's id stands nowhere: who knows it may use the session.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    ActiveSpan, Call, Context, Error, Invoke, RawJson, Result, SearchReply, SearchRequest, SpanKind, SpanStart, Tracer,
};

/// The error of a tool that says itself that it failed.
const TOOL_ERROR: &str = "tool_error";

/// Runs a call in a span of its own, whose place its server is told.
pub(super) async fn traced_call(
    tracer: &dyn Tracer,
    pipeline: &dyn Invoke,
    context: &Context,
    call: &Call,
) -> Result<RawJson> {
    let span = ActiveSpan::new(tracer.begin(of_call(context, call), context.trace()));
    let within = span.context().map(|place| context.with_trace(place.clone()));
    let outcome = pipeline.invoke(within.as_ref().unwrap_or(context), call).await;
    let error_type = match &outcome {
        Err(error) => Some(error_type(error)),
        Ok(result) => (call.tool.is_some() && is_tool_error(result)).then(|| TOOL_ERROR.to_owned()),
    };
    span.end(error_type.as_deref());
    outcome
}

/// Ends the span of a search.
pub(super) fn end_search(mut span: ActiveSpan, outcome: &Result<SearchReply>) {
    match outcome {
        Ok(reply) => {
            span.set("gateway.search.router", reply.router.clone());
            span.set("gateway.search.matches", count(reply.matches.len()));
            span.end(None);
        }
        Err(error) => span.end(Some(error.kind().as_str())),
    }
}

/// The span of a search, without what is searched for.
pub(super) fn of_search(context: &Context, request: &SearchRequest) -> SpanStart {
    SpanStart::new(SpanKind::Internal, "search")
        .with("gateway.request.id", context.request_id().to_owned())
        .with("gateway.search.limit", count(request.limit))
}

fn of_call(context: &Context, call: &Call) -> SpanStart {
    let spec = call.server.spec();
    let name = match &call.tool {
        Some(tool) => format!("{} {}", call.method, tool.name()),
        None => call.method.to_string(),
    };
    let mut start = SpanStart::new(SpanKind::Client, name)
        .with("mcp.method.name", call.method.to_string())
        .with("gateway.request.id", context.request_id().to_owned())
        .with("gateway.server.name", spec.name().to_owned())
        .with("gateway.server.uuid", spec.uuid().to_string())
        .with("network.transport", if spec.is_command() { "pipe" } else { "tcp" });
    if let Some(tool) = &call.tool {
        start = start.with("gen_ai.operation.name", "execute_tool").with("gen_ai.tool.name", tool.name().to_owned());
    }
    if let Some(version) = call.server.protocol_version() {
        start = start.with("mcp.protocol.version", version);
    }
    start
}

/// The code of the server's JSON-RPC error, where it is one, else our word.
fn error_type(error: &Error) -> String {
    #[derive(Deserialize)]
    struct Coded {
        code: i64,
    }
    let coded = error.details().and_then(|details| details.read::<Coded>().ok());
    coded.map_or_else(|| error.kind().as_str().to_owned(), |coded| coded.code.to_string())
}

fn is_tool_error(result: &RawJson) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        #[serde(borrow)]
        is_error: Option<&'a RawValue>,
    }
    result.read::<Head<'_>>().is_ok_and(|head| head.is_error.is_some_and(|is_error| is_error.get() == "true"))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
