//! Answers, and what keeps a browser from doing more with them than they are for.

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, StatusCode};
use maud::Markup;

/// What the page may load and do: its own script, style and requests, and images that are part of a result. No inline
/// script or style, so that what an upstream wrote stays text even where an escape were missing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types gateway-ui";

/// An answer of a type.
pub(crate) fn of_type(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A fragment of the page, or the whole of it.
pub(crate) fn html(status: StatusCode, markup: Markup) -> Response {
    of_type(status, "text/html; charset=utf-8", markup.into_string())
}

/// Adds the headers that every answer of this door has.
pub(crate) fn secure(headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // Fragments are a moment's; the files are small, and another version may be started at any time.
    set(header::CACHE_CONTROL, "no-store");
}
