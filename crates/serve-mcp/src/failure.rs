//! A failure in the words of JSON-RPC: the one place where an [`Error`] becomes a code.

use std::borrow::Cow;

use gateway_core::{Error, ErrorKind, RawJson};
use mcp_wire::{Id, Object, code, is_error_object, write_error, write_error_object};
use serde::Serialize;
use serde_json::value::RawValue;

/// Nobody answers this now; another attempt may succeed.
const UNAVAILABLE: i64 = -32000;

/// The time is over. The number that MCP's SDKs use for it.
const TIMED_OUT: i64 = -32001;

/// There is no such resource (2024-11-05 to 2025-11-25).
const RESOURCE_NOT_FOUND: i64 = -32002;

/// The caller may not.
const REFUSED: i64 = -32003;

/// Why a request has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i64,
    message: Cow<'static, str>,
    data: Option<RawJson>,
    /// The error object of the server that answered with one.
    object: Option<RawJson>,
    kind: ErrorKind,
    retry_after_ms: Option<u64>,
}

#[derive(Serialize)]
struct Data<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a RawJson>,
}

impl Failure {
    /// A request that is wrong in itself.
    pub(crate) fn new(code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = if code == code::INTERNAL_ERROR { ErrorKind::Internal } else { ErrorKind::InvalidRequest };
        Self { code, message: message.into(), data: None, object: None, kind, retry_after_ms: None }
    }

    /// Params that are not what the method takes.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// A method that nobody answers.
    pub(crate) fn no_such_method(method: &str) -> Self {
        let shown: String = method.chars().filter(|c| !c.is_control()).take(100).collect();
        let mut failure = Self::new(code::METHOD_NOT_FOUND, format!("there is no method `{shown}` here"));
        failure.kind = ErrorKind::NotFound;
        failure
    }

    /// With data for programs.
    pub(crate) fn with_data(mut self, data: &serde_json::Value) -> Self {
        self.data = RawJson::from_value(data).ok();
        self
    }

    /// A read of a resource that its server does not have, in the words of the client's era.
    pub(crate) fn in_era(self, uri: &str, is_modern: bool) -> Self {
        let code = match self.wire_code() {
            RESOURCE_NOT_FOUND if is_modern => code::INVALID_PARAMS,
            // A modern server says by the URI that it is not the params that are wrong.
            code::INVALID_PARAMS if !is_modern && self.is_about(uri) => RESOURCE_NOT_FOUND,
            _ => return self,
        };
        let data = serde_json::json!({ "uri": uri, "kind": ErrorKind::NotFound.as_str() });
        Self { kind: ErrorKind::NotFound, ..Self::new(code, self.message) }.with_data(&data)
    }

    /// Whether the server's error names this resource.
    fn is_about(&self, uri: &str) -> bool {
        let data = self.object.as_ref().and_then(|object| Object::of(object).get("data").cloned());
        data.is_some_and(|data| Object::of(&data).text("uri").is_some_and(|named| named == uri))
    }

    /// The failure of a read of the resource `uri`.
    pub(crate) fn of_resource(error: Error, uri: &str, is_modern: bool) -> Self {
        if error.kind() != ErrorKind::NotFound {
            return error.into();
        }
        let code = if is_modern { code::INVALID_PARAMS } else { RESOURCE_NOT_FOUND };
        let failure = Self { kind: ErrorKind::NotFound, ..Self::new(code, error.message().to_owned()) };
        failure.with_data(&serde_json::json!({ "uri": uri, "kind": ErrorKind::NotFound.as_str() }))
    }

    /// What went wrong, in the gateway's terms.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// When another attempt makes sense, in milliseconds from now.
    pub(crate) fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    /// Its code on the wire.
    fn wire_code(&self) -> i64 {
        self.object.as_ref().and_then(code_of).unwrap_or(self.code)
    }

    /// The HTTP status that goes with it for a modern client. A legacy one reads only the body.
    pub(crate) fn status(&self) -> u16 {
        match self.wire_code() {
            code::METHOD_NOT_FOUND => 404,
            code::PARSE_ERROR
            | code::INVALID_REQUEST
            | code::INVALID_PARAMS
            | code::HEADER_MISMATCH
            | code::MISSING_CLIENT_CAPABILITY
            | code::UNSUPPORTED_PROTOCOL_VERSION => 400,
            _ => match self.kind {
                ErrorKind::Unauthenticated => 401,
                ErrorKind::Forbidden => 403,
                _ => 200,
            },
        }
    }

    /// Appends it as the answer to the request `id`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, id: &Id) {
        match &self.object {
            Some(object) => write_error_object(out, id, object),
            None => write_error(out, id, self.code, &self.message, self.data.as_ref()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let code = match kind {
            ErrorKind::InvalidRequest
            | ErrorKind::InvalidArguments
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::TooLarge => code::INVALID_PARAMS,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => REFUSED,
            ErrorKind::RateLimited | ErrorKind::Unavailable => UNAVAILABLE,
            ErrorKind::Cancelled | ErrorKind::DeadlineExceeded | ErrorKind::UpstreamTimeout => TIMED_OUT,
            ErrorKind::UpstreamFailed | ErrorKind::Internal => code::INTERNAL_ERROR,
        };
        let comes_from_server = matches!(kind, ErrorKind::UpstreamFailed | ErrorKind::InvalidArguments);
        let object = error.details().filter(|details| comes_from_server && is_error_object(details));
        let object = object.filter(|object| code_of(object).is_some_and(may_pass)).cloned();
        let data = Data {
            kind: kind.as_str(),
            retry_after_ms: error.retry_after_ms(),
            details: error.details().filter(|_| object.is_none()),
        };
        let data = RawJson::from_value(&data).ok();
        Self {
            code,
            message: error.message().to_owned().into(),
            data,
            object,
            kind,
            retry_after_ms: error.retry_after_ms(),
        }
    }
}

/// Whether a server's error code means the same to our client. Those that speak of the connection between the
/// gateway and the server do not.
fn may_pass(code: i64) -> bool {
    !matches!(
        code,
        code::METHOD_NOT_FOUND
            | code::PARSE_ERROR
            | code::INVALID_REQUEST
            | code::HEADER_MISMATCH
            | code::UNSUPPORTED_PROTOCOL_VERSION
    )
}

fn code_of(object: &RawJson) -> Option<i64> {
    #[derive(serde::Deserialize)]
    struct Coded<'a> {
        #[serde(borrow)]
        code: &'a RawValue,
    }
    object.read::<Coded<'_>>().ok()?.code.get().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.write(&mut out, &Id::Number(7));
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_error_of_the_server_passes_as_it_is() {
        let object = r#"{"code": -32042, "message":"open this", "data":{"elicitations":[1.0]}, "x":null}"#;
        let raw = RawJson::parse(object).expect("JSON");
        let error = Error::new(ErrorKind::UpstreamFailed, "the server answered with an error").with_details(raw);
        assert_eq!(written(&error.into()), format!(r#"{{"jsonrpc":"2.0","id":7,"error":{object}}}"#));
    }

    #[test]
    fn an_error_about_the_connection_stays_here() {
        let raw = RawJson::parse(r#"{"code":-32022,"message":"no"}"#).expect("JSON");
        let error = Error::new(ErrorKind::UpstreamFailed, "it refused").with_details(raw);
        let failure = Failure::from(error);
        assert_eq!((failure.code, failure.status()), (code::INTERNAL_ERROR, 200));
        assert!(written(&failure).contains(r#""message":"it refused""#));
    }

    #[test]
    fn every_kind_is_told() {
        let check = |kind: ErrorKind, code: i64| {
            let failure = Failure::from(Error::new(kind, "why").with_retry_after_ms(5));
            let expected = format!(
                r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":{code},"message":"why","data":{{"kind":"{}","retry_after_ms":5}}}}}}"#,
                kind.as_str()
            );
            assert_eq!(written(&failure), expected);
        };
        check(ErrorKind::NotFound, -32602);
        check(ErrorKind::Conflict, -32602);
        check(ErrorKind::InvalidArguments, -32602);
        check(ErrorKind::Unavailable, -32000);
        check(ErrorKind::RateLimited, -32000);
        check(ErrorKind::UpstreamTimeout, -32001);
        check(ErrorKind::UpstreamFailed, -32603);
        check(ErrorKind::Forbidden, -32003);
    }
}
