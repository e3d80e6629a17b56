//! The span of one request, for distributed traces. Names and attributes are those of OpenTelemetry's conventions for
//! HTTP.

use axum::response::Response;
use gateway_core::{ActiveSpan, Gateway, SpanKind, SpanStart};
use http::Method;
use http_server::Caller;

/// What is asked every few seconds, by programs that look after others: spans of it would hide the rest.
const UNTRACED: [&str; 5] = ["/health", "/livez", "/readyz", "/metrics", "/openapi.json"];

/// Begins a request's span and puts what is done for it beneath; `path` is the route's pattern.
pub(crate) fn begin(gateway: &Gateway, caller: &mut Caller, method: &Method, path: &str) -> Option<ActiveSpan> {
    if UNTRACED.contains(&path) {
        return None;
    }
    let span = gateway.begin_span(caller.trace.as_ref(), || {
        // A method of the sender's own invention is no name to count by.
        let method = if is_known(method) { method.as_str() } else { "_OTHER" };
        SpanStart::new(SpanKind::Server, format!("{method} {path}"))
            .with("http.request.method", method.to_owned())
            .with("http.route", path.to_owned())
            .with("gateway.door", caller.door)
            .with("gateway.request.id", caller.request_id.to_string())
    })?;
    if let Some(place) = span.context() {
        caller.trace = Some(place.clone());
    }
    Some(span)
}

/// Ends it with its answer. Of one that goes on as a stream, this is the beginning.
pub(crate) fn end(span: Option<ActiveSpan>, response: &Response) {
    let Some(mut span) = span else { return };
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    // A mistake of the client's is no error of ours.
    span.end(status.is_server_error().then_some(status.as_str()));
}

fn is_known(method: &Method) -> bool {
    [Method::GET, Method::POST, Method::DELETE, Method::HEAD, Method::PUT, Method::PATCH, Method::OPTIONS]
        .contains(method)
}
