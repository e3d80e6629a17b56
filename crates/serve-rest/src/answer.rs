//! Answers that went well.

use answer_json::JsonText;
use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::chunks::body;
use crate::problem::Problem;

/// Answers of this door depend on who asks and on the moment.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A JSON answer that serde writes.
pub(crate) fn json<T: Serialize>(answer: &T) -> Result<Response, Problem> {
    let text = serde_json::to_vec(answer).map_err(|error| {
        gateway_core::Error::new(gateway_core::ErrorKind::Internal, "cannot write the answer").with_source(error)
    })?;
    Ok(of_type("application/json", Body::from(text)))
}

/// A JSON answer that was written by hand.
pub(crate) fn json_text(text: JsonText) -> Response {
    of_type("application/json", body(text))
}

/// An answer of any type.
pub(crate) fn of_type(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// Adds a header.
pub(crate) fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}
