//! The span of one request, for distributed traces. Names and attributes are those of OpenTelemetry's conventions for
//! MCP.

use gateway_core::{ActiveSpan, RawJson, SpanKind, SpanStart};

use crate::core::Request;
use crate::failure::Failure;

/// Longest name of a tool or prompt that a span repeats, in characters.
const MAX_NAME: usize = 128;

/// The methods that clients may send; another one is no name to count by.
const METHODS: [&str; 13] = [
    "completion/complete",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// Begins a request's span, where there is one, and puts what is done for it beneath. What the request's own `_meta` says
/// of the trace counts before what its HTTP headers say, which are of the message and not of the request.
pub(crate) fn begin(request: &mut Request) -> Option<ActiveSpan> {
    if let Some(trace) = request.meta.trace.take() {
        request.sender.trace = Some(trace);
    }
    let parent = request.sender.trace.clone();
    let span = request.core.gateway.begin_span(parent.as_ref(), || start(request))?;
    if let Some(place) = span.context() {
        request.sender.trace = Some(place.clone());
    }
    Some(span)
}

pub(crate) fn end(span: ActiveSpan, answer: &Result<RawJson, Failure>) {
    match answer {
        Ok(_) => span.end(None),
        Err(failure) => span.end(Some(failure.kind().as_str())),
    }
}

fn start(request: &Request) -> SpanStart {
    let method = METHODS.iter().copied().find(|method| *method == request.method).unwrap_or("_OTHER");
    let start = SpanStart::new(SpanKind::Server, method)
        .with("mcp.method.name", method)
        .with("mcp.protocol.version", request.client.revision.as_str())
        .with("gateway.door", "mcp")
        .with("gateway.request.id", request.sender.request_id.to_string());
    // What the caller calls it: whether there is such a thing is not known yet, so it is no part of the name.
    let about = match method {
        "tools/call" => "gen_ai.tool.name",
        "prompts/get" => "gen_ai.prompt.name",
        _ => return start,
    };
    match request.params.text("name") {
        Some(name) => start.with(about, name.chars().take(MAX_NAME).collect::<String>()),
        None => start,
    }
}
