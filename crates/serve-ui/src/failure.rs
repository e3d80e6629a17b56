//! What goes wrong, as the page shows it.

use std::borrow::Cow;

use gateway_core::{Error, ErrorKind, RawJson};
use http::StatusCode;
use http_server::{Refusal, status_of};
use maud::{Markup, html};

use crate::format::{pretty, sentence};

/// A request that was not answered as hoped, and why.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    kind: &'static str,
    message: Cow<'static, str>,
    details: Option<RawJson>,
    /// What the engine said, for the log.
    cause: Option<Error>,
}

impl Failure {
    /// 400.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::of_kind(ErrorKind::InvalidRequest, message).into()
    }

    /// The fragment that says so.
    pub(crate) fn render(&self) -> Markup {
        html! {
            div.notice.bad role="alert" data-kind=(self.kind) {
                p { (sentence(&self.message)) }
                p.code { (self.kind) " · " (self.status.as_u16()) }
                @if let Some(details) = &self.details {
                    details { summary { "Details" } pre { (pretty(details.as_str())) } }
                }
            }
        }
    }

    /// The only log line of this failure.
    pub(crate) fn log(&self, request_id: &str) {
        let (status, cause) = (self.status.as_u16(), &self.cause);
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request_id, status, kind = self.kind, ?cause, "{}", self.message);
        } else {
            tracing::debug!(request_id, status, kind = self.kind, ?cause, "{}", self.message);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            status: status_of(error.kind()),
            kind: error.kind().as_str(),
            message: Cow::Owned(error.message().to_owned()),
            details: error.details().cloned(),
            cause: Some(error),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, kind, message } = refusal;
        Self { status, kind, message, details: None, cause: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_text_whatever_it_says() {
        let error = Error::new(ErrorKind::UpstreamFailed, "<img src=x onerror=alert(1)>")
            .with_details(RawJson::parse(r#"{"a":"</pre><script>"}"#).expect("JSON"));
        let failure = Failure::from(error);
        assert_eq!(failure.status, 502);
        let text = failure.render().into_string();
        assert!(text.contains("&lt;img src=x") && !text.contains("<img") && !text.contains("<script"), "{text}");
    }
}
