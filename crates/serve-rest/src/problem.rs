//! What goes wrong, as the wire shows it.

use std::borrow::Cow;
use std::sync::Arc;

use answer_json::JsonText;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gateway_core::{Error, ErrorKind, RawJson};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use http_server::{CLIENT_CLOSED_REQUEST, Refusal, status_of};

/// An answer that says why there is no other.
///
/// Handlers return it; [`render`] writes it, since only the outermost layer knows the request's id for
/// certain and sees the refusals of all others.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    message: Cow<'static, str>,
    details: Option<RawJson>,
    retry_after_ms: Option<u64>,
    /// What the engine said, for the log.
    cause: Option<Error>,
}

impl Problem {
    /// A refusal that only HTTP knows.
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, message: message.into(), details: None, retry_after_ms: None, cause: None }
    }

    /// 400.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::InvalidRequest, message)
    }

    /// A refusal of a kind that the engine has, too.
    pub(crate) fn of_kind(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status_of(kind), kind.as_str(), message)
    }

    /// The body.
    pub(crate) fn body(&self, request_id: &str) -> Bytes {
        let mut text = JsonText::with_capacity(128 + self.message.len());
        text.syntax("{\"error\":").string(&self.message);
        text.syntax(",\"kind\":").string(self.kind);
        text.syntax(",\"request_id\":").string(request_id).syntax(",\"status\":\"error\"");
        if let Some(details) = &self.details {
            text.syntax(",\"details\":").raw(details);
        }
        text.syntax("}");
        text.into_bytes()
    }

    /// Writes the log line of this failure: the only one that it gets.
    pub(crate) fn log(&self, request_id: &str) {
        let status = self.status.as_u16();
        let cause = self.cause.as_ref();
        if status == CLIENT_CLOSED_REQUEST || self.status.is_client_error() {
            tracing::debug!(request_id, status, kind = self.kind, ?cause, "{}", self.message);
        } else if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request_id, status, kind = self.kind, ?cause, "{}", self.message);
        } else {
            tracing::warn!(request_id, status, kind = self.kind, ?cause, "{}", self.message);
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        let wanted = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let milliseconds = self.retry_after_ms.or(wanted.then_some(1000))?;
        Some(milliseconds.div_ceil(1000).max(1))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self {
            status: status_of(error.kind()),
            kind: error.kind().as_str(),
            message: Cow::Owned(error.message().to_owned()),
            details: error.details().cloned(),
            retry_after_ms: error.retry_after_ms(),
            cause: Some(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.kind, refusal.message)
    }
}

impl IntoResponse for Problem {
    /// The status, with the problem in an extension for [`render`].
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives a failed response its JSON body, and logs it. Every failure passes here once, those of axum too.
pub(crate) fn render(response: Response, request_id: &str, method: &Method) -> Response {
    if response.status().as_u16() < 400 {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let problem = parts.extensions.remove::<Arc<Problem>>().unwrap_or_else(|| Arc::new(of_framework(parts.status)));
    problem.log(request_id);
    let body = problem.body(request_id);
    let headers = &mut parts.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Some(seconds) = problem.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gateway\""));
    }
    let body = if *method == Method::HEAD { Body::empty() } else { Body::from(body) };
    Response::from_parts(parts, body)
}

/// A failure that axum found before a handler of ours was asked.
fn of_framework(status: StatusCode) -> Problem {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "method_not_allowed",
            "this path does not take the method; the header Allow says which it takes",
        ),
        _ => Problem::new(status, "invalid_request", "the request was refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ProblemBody;

    #[test]
    fn writes_the_body_of_the_contract() {
        let error = Error::new(ErrorKind::Conflict, "choose between \"a\" and \"b\"")
            .with_details(RawJson::parse("[1.0]").expect("valid"))
            .with_context("secret", "hush");
        let body = Problem::from(error).body("r-1");
        assert_eq!(
            body,
            r#"{"error":"choose between \"a\" and \"b\"","kind":"conflict","request_id":"r-1","status":"error","details":[1.0]}"#
        );
        let read: ProblemBody = serde_json::from_slice(&body).expect("the body is of its type");
        assert_eq!((read.error.as_str(), read.kind.as_str()), ("choose between \"a\" and \"b\"", "conflict"));
        assert_eq!((read.request_id.as_str(), read.status.as_str()), ("r-1", "error"));
        assert_eq!(read.details.expect("there are some").as_str(), "[1.0]");
    }

    #[test]
    fn tells_when_to_come_back() {
        let check = |problem: Problem, expected: Option<&str>| {
            let response = render(problem.into_response(), "r", &Method::GET);
            let found = response.headers().get(RETRY_AFTER).map(|value| value.to_str().expect("ASCII"));
            assert_eq!(found, expected);
        };
        check(Problem::of_kind(ErrorKind::RateLimited, "x"), Some("1"));
        check(Error::new(ErrorKind::Unavailable, "x").with_retry_after_ms(2001).into(), Some("3"));
        check(Problem::of_kind(ErrorKind::NotFound, "x"), None);
    }
}
