//! What goes wrong.

use serde::Deserialize;
use serde_json::value::RawValue;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The gateway answered that it will not or cannot.
    #[error("the gateway answered{}: {}", shown(.0.status), .0.message)]
    Refused(Box<Problem>),
    /// The gateway was not reached, or the connection broke.
    #[error("the gateway cannot be asked")]
    Connection(#[source] reqwest::Error),
    /// What answered speaks another language: it is no gateway, or one of another time.
    #[error("the answer is not the gateway's: {0}")]
    Unexpected(String),
    /// What was to be sent cannot be: a URL, key or id that is none, arguments that are no JSON.
    #[error("the request cannot be made: {0}")]
    Invalid(String),
}

/// The gateway's own word about a failure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status. For a failure at the end of an event stream, or of a request that was queued, 0: it began well.
    pub status: u16,
    /// What kind of failure it is, for programs: `not_found`.
    pub kind: String,
    /// What went wrong, for people.
    pub message: String,
    /// The request's id, which stands in the gateway's log.
    pub request_id: String,
    /// More, such as the candidates of an ambiguous name.
    pub details: Option<Box<RawValue>>,
    /// In how many seconds another attempt makes sense.
    pub retry_after_seconds: Option<u64>,
}

/// A status with a space before it; nothing for a failure at the end of an event stream, which has none.
fn shown(status: u16) -> String {
    if status == 0 { String::new() } else { format!(" {status}") }
}

impl Error {
    /// The gateway's word, where it gave one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Connection(_) | Self::Unexpected(_) | Self::Invalid(_) => None,
        }
    }

    /// The kind of failure, where the gateway told it: `not_found`.
    pub fn kind(&self) -> Option<&str> {
        self.problem().map(|problem| problem.kind.as_str())
    }

    /// The HTTP status, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status).filter(|status| *status != 0)
    }

    /// The request's id, where the gateway told it.
    pub fn request_id(&self) -> Option<&str> {
        self.problem().map(|problem| problem.request_id.as_str())
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        // The URL may hold a path that the caller does not want in a log.
        Self::Connection(error.without_url())
    }
}

/// Reads the body of a failure.
pub(crate) fn refusal(status: u16, retry_after_seconds: Option<u64>, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Body {
        error: String,
        kind: String,
        request_id: String,
        details: Option<Box<RawValue>>,
    }
    match serde_json::from_slice(body) {
        Ok(Body { error: message, kind, request_id, details }) => {
            Error::Refused(Box::new(Problem { status, kind, message, request_id, details, retry_after_seconds }))
        }
        Err(_) => Error::Unexpected(format!("status {status} without the body of a failure")),
    }
}
