//! Why a request is not answered, before a door has said it in its own words.

use std::borrow::Cow;

use gateway_core::ErrorKind;
use http::StatusCode;

/// Nginx's status for a client that went away; the registry has none.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// A refusal that a door writes as its clients expect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// One word for programs: the name of an [`ErrorKind`], or of what only HTTP knows, such as
    /// `headers_too_large`.
    pub kind: &'static str,
    /// A sentence for people, without a capital letter and a full stop.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal that only HTTP knows.
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind, message: message.into() }
    }

    /// A refusal of a kind that the engine has, too.
    pub fn of_kind(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status_of(kind), kind.as_str(), message)
    }

    /// The answer to a request that the end of the gateway overtook.
    pub fn stopping() -> Self {
        Self::of_kind(ErrorKind::Unavailable, "the gateway is being stopped")
    }

    /// The answer to a request whose handler panicked.
    pub(crate) fn mistake() -> Self {
        Self::of_kind(ErrorKind::Internal, "the gateway made a mistake; its log has more")
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::InvalidRequest, message)
    }

    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Forbidden, message)
    }
}

/// The status of each kind of error: the one place that decides it.
pub fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::InvalidArguments => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Cancelled => StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("499 is in the range of statuses"),
        ErrorKind::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::UpstreamFailed => StatusCode::BAD_GATEWAY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
