//! Reading one JSON-RPC message: what kind it is, its id and method; the rest stays raw.

use bytes::Bytes;
use gateway_core::{Error, ErrorKind, RawJson, Result};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a peer sent. `params` and `result` are slices of the message, not copies.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It wants an answer.
    Request {
        /// To be echoed in the answer.
        id: Id,
        /// Such as `sampling/createMessage`.
        method: String,
        /// Absent params are `{}`.
        params: RawJson,
    },
    /// It wants none.
    Notification {
        /// Such as `notifications/progress`.
        method: String,
        /// Absent params are `{}`.
        params: RawJson,
    },
    /// It answers a request.
    Response {
        /// The id of that request.
        id: Id,
        /// What came of it.
        outcome: Outcome,
    },
}

/// What came of a request: the `result`, or the `error`.
pub type Outcome = std::result::Result<RawJson, RpcError>;

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// Its `code`; 0 where it has no readable one.
    pub code: i64,
    /// Its `message`; may be empty.
    pub message: String,
    /// The whole object, as it came.
    pub raw: RawJson,
}

/// The id of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A text.
    String(String),
    /// Anything else (`null`, `1.5`, a huge number): we never make one, and echo it as it came.
    Other(RawJson),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Message {
    /// Reads one message with one scan over its text.
    ///
    /// # Errors
    /// [`ErrorKind::UpstreamFailed`] where the text is no JSON object or neither a request, a
    /// notification nor a response.
    pub fn parse(text: &Bytes) -> Result<Self> {
        let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|error| {
            broken("understand the server: it sent text that is no JSON-RPC message").with_source(error)
        })?;
        let slice = |raw: &RawValue| RawJson::slice_of(text, raw);
        if let Some(method) = envelope.method {
            let params = envelope.params.map_or_else(RawJson::empty_object, slice);
            return Ok(match envelope.id {
                Some(id) => Self::Request { id: Id::read(text, id), method, params },
                None => Self::Notification { method, params },
            });
        }
        let outcome = match (envelope.error, envelope.result) {
            (Some(error), _) => Err(RpcError::read(slice(error))),
            (None, Some(result)) => Ok(slice(result)),
            (None, None) => {
                return Err(broken("understand the server: it sent a message with neither method, result nor error"));
            }
        };
        let id = envelope.id.map_or_else(Id::null, |id| Id::read(text, id));
        Ok(Self::Response { id, outcome })
    }

    /// Whether the text is a batch (an array, revision 2025-03-26 only).
    pub fn is_batch(text: &[u8]) -> bool {
        text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
    }

    /// Reads a batch. A member that is no message is an error of its own.
    ///
    /// # Errors
    /// [`ErrorKind::UpstreamFailed`] where the text is no JSON array.
    pub fn parse_batch(text: &Bytes) -> Result<Vec<Result<Self>>> {
        let members: Vec<&RawValue> = serde_json::from_slice(text).map_err(|error| {
            broken("understand the server: it sent a batch that is no JSON array").with_source(error)
        })?;
        let parse = |raw: &&RawValue| Self::parse(RawJson::slice_of(text, raw).as_bytes());
        Ok(members.iter().map(parse).collect())
    }
}

impl Id {
    /// The id of an answer to something that had no readable id.
    pub fn null() -> Self {
        Self::Other(RawJson::parse("null").expect("`null` is JSON"))
    }

    /// The id as a number of ours, where it is one. A server that turns our number into a text of
    /// digits is understood.
    pub fn as_number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::String(text) => text.parse().ok(),
            Self::Other(_) => None,
        }
    }

    fn read(text: &Bytes, raw: &RawValue) -> Self {
        if let Ok(number) = raw.get().parse() {
            return Self::Number(number);
        }
        serde_json::from_str(raw.get()).map_or_else(|_| Self::Other(RawJson::slice_of(text, raw)), Self::String)
    }
}

/// The id of the request that a `notifications/cancelled` names.
pub fn cancelled_id(params: &RawJson) -> Option<Id> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cancelled<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
    }
    let cancelled: Cancelled<'_> = params.read().ok()?;
    Some(Id::read(params.as_bytes(), cancelled.request_id))
}

impl RpcError {
    fn read(raw: RawJson) -> Self {
        #[derive(Deserialize)]
        struct Known<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
        }
        let (code, message) = match raw.read::<Known<'_>>() {
            Ok(known) => (
                known.code.and_then(|code| code.get().parse().ok()).unwrap_or_default(),
                known.message.and_then(|text| serde_json::from_str(text.get()).ok()),
            ),
            Err(_) => (0, None),
        };
        Self { code, message: message.unwrap_or_default(), raw }
    }
}

/// For fields where `null` is a value and not an absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn broken(message: &'static str) -> Error {
    Error::new(ErrorKind::UpstreamFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    fn parse(text: &'static str) -> Message {
        Message::parse(&Bytes::from_static(text.as_bytes())).expect("a message")
    }

    #[test]
    fn tells_the_three_kinds_apart() {
        let check = |input: &'static str, expected: Message| assert_eq!(parse(input), expected);
        check(
            r#" {"jsonrpc":"2.0","id":7,"method":"a\u002fb","params":{"z":1.50, "a":[]}} "#,
            Message::Request { id: Id::Number(7), method: "a/b".to_owned(), params: raw(r#"{"z":1.50, "a":[]}"#) },
        );
        check(
            r#"{"method":"n","jsonrpc":"2.0","unknown":{"id":3}}"#,
            Message::Notification { method: "n".to_owned(), params: raw("{}") },
        );
        check(
            r#"{"result":{"x":1e400},"id":"q"}"#,
            Message::Response { id: Id::String("q".to_owned()), outcome: Ok(raw(r#"{"x":1e400}"#)) },
        );
        check(r#"{"id":1,"result":null}"#, Message::Response { id: Id::Number(1), outcome: Ok(raw("null")) });
        check(r#"{"id":1,"result":5,"error":null}"#, Message::Response { id: Id::Number(1), outcome: Ok(raw("5")) });
        check(
            r#"{"id":null,"error":{"code":-32700,"message":"no"}}"#,
            Message::Response {
                id: Id::Other(raw("null")),
                outcome: Err(RpcError {
                    code: -32700,
                    message: "no".to_owned(),
                    raw: raw(r#"{"code":-32700,"message":"no"}"#),
                }),
            },
        );
    }

    #[test]
    fn odd_ids_are_kept_as_they_came() {
        for id in ["1.0", "null", "123456789012345678901", "[1]", "true"] {
            let text = Bytes::from(format!(r#"{{"id":{id},"method":"m"}}"#));
            let Ok(Message::Request { id: Id::Other(kept), .. }) = Message::parse(&text) else {
                panic!("{id} should be kept raw");
            };
            assert_eq!(kept.as_str(), id);
        }
        assert_eq!(Id::String("12".to_owned()).as_number(), Some(12));
        assert_eq!(Id::String("x".to_owned()).as_number(), None);
    }

    #[test]
    fn results_are_slices_of_the_message() {
        let text = Bytes::from_static(br#"{"id":1,"result":{"big":true}}"#);
        let Ok(Message::Response { outcome: Ok(result), .. }) = Message::parse(&text) else {
            panic!("a result");
        };
        assert!(text.as_ptr_range().contains(&result.as_bytes().as_ptr()));
    }

    #[test]
    fn odd_errors_are_still_errors() {
        for error in ["5", "{}", r#"{"code":"x","message":1}"#, r#""boom""#] {
            let text = Bytes::from(format!(r#"{{"id":1,"error":{error}}}"#));
            let Ok(Message::Response { outcome: Err(read), .. }) = Message::parse(&text) else {
                panic!("{error} should be an error");
            };
            assert_eq!((read.code, read.raw.as_str()), (0, error));
        }
    }

    #[test]
    fn refuses_what_is_no_message() {
        for text in ["", "{", "5", "null", "{}", r#"{"id":1}"#, r#"{"method":5}"#, "\u{feff}{}"] {
            let error = Message::parse(&Bytes::from(text)).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::UpstreamFailed);
        }
        let bad_utf8 = Bytes::from_static(b"{\"id\":1,\"result\":\"\xff\"}");
        assert!(Message::parse(&bad_utf8).is_err());
    }

    #[test]
    fn splits_batches() {
        let text = Bytes::from_static(br#" [{"id":1,"result":1}, 5, {"method":"n"}]"#);
        assert!(Message::is_batch(&text));
        assert!(!Message::is_batch(b" {}"));
        let kinds: Vec<_> = Message::parse_batch(&text).expect("an array").iter().map(Result::is_ok).collect();
        assert_eq!(kinds, [true, false, true]);
        assert!(Message::parse_batch(&Bytes::from_static(b"[1")).is_err());
    }
}
