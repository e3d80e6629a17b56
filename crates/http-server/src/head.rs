//! What the guard reads from a request's head, in one pass over its headers.

use std::sync::Arc;

use http::{HeaderValue, Request};
use uuid::Uuid;

use crate::refusal::Refusal;

/// A header that counts only where it stands alone: proxies and servers disagree about which of two
/// equal ones is meant, and attackers live on that.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Single<'a> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there once.
    Once(&'a HeaderValue),
    /// It is there more than once.
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// Its text.
    pub(crate) fn text(self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => match value.to_str() {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(Refusal::invalid(format!("the header {name} must be visible ASCII"))),
            },
            Self::Repeated => Err(Refusal::invalid(format!("the header {name} must not be repeated"))),
        }
    }

    /// Whether it is there at all.
    pub(crate) fn is_present(self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// The parts of a head that decide about a request.
#[derive(Debug, Default)]
pub(crate) struct Head<'a> {
    pub host: Single<'a>,
    pub origin: Single<'a>,
    pub authorization: Single<'a>,
    pub api_key: Single<'a>,
    pub session_id: Single<'a>,
    pub request_id: Single<'a>,
    pub traces: Traces,
    pub size: Size,
}

/// Signs that a request does not come straight from a program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traces {
    /// A browser sent it: it has fetch metadata that only browsers send.
    pub browser: bool,
    /// It came through a proxy that said so.
    pub proxy: bool,
    /// A browser asks whether it may send the real request.
    pub preflight: bool,
}

/// How large a head is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub fields: usize,
    pub bytes: usize,
}

impl<'a> Head<'a> {
    /// Reads the head of `request`.
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        let mut head = Self::default();
        let uri = request.uri();
        head.size.bytes = uri.path().len() + uri.query().map_or(0, str::len);
        for (name, value) in request.headers() {
            let name = name.as_str();
            head.size.fields += 1;
            // Colon, space and line end.
            head.size.bytes += name.len() + value.len() + 4;
            match name {
                "host" => head.host.add(value),
                "origin" => head.origin.add(value),
                "authorization" => head.authorization.add(value),
                "x-api-key" => head.api_key.add(value),
                "x-session-id" => head.session_id.add(value),
                "x-request-id" => head.request_id.add(value),
                "access-control-request-method" => head.traces.preflight = true,
                "forwarded" | "via" | "x-real-ip" => head.traces.proxy = true,
                // Node's `fetch` sends `Sec-Fetch-Mode` alone; browsers never leave the others out.
                "sec-fetch-site" | "sec-fetch-dest" | "sec-fetch-user" => head.traces.browser = true,
                _ if name.starts_with("x-forwarded") => head.traces.proxy = true,
                _ => {}
            }
        }
        head
    }

    /// The request's id: the caller's, where it has a harmless form, else a new one.
    pub(crate) fn request_id(&self) -> Arc<str> {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:/+=@".contains(&byte);
        let given = match self.request_id {
            Single::Once(value) => value.to_str().ok(),
            Single::Absent | Single::Repeated => None,
        };
        match given.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(safe)) {
            Some(id) => Arc::from(id),
            None => Arc::from(&*Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer())),
        }
    }
}
