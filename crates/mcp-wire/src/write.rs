//! Writing JSON-RPC messages by hand: the raw parts are copied, never read.

use gateway_core::{ErrorKind, RawJson, Result};
use serde::Deserialize;

use crate::{Id, Meta, code};

const HEAD: &[u8] = br#"{"jsonrpc":"2.0""#;

/// Appends a request. `meta` is put into the params' `_meta`.
pub fn write_request(out: &mut Vec<u8>, id: i64, method: &str, params: &RawJson, meta: &Meta) {
    out.reserve(params.as_bytes().len() + method.len() + meta.len() + 80);
    out.extend_from_slice(HEAD);
    out.extend_from_slice(br#","id":"#);
    write_number(out, id);
    write_call(out, method, params, meta);
}

/// Appends a notification. `meta` is put into the params' `_meta`.
pub fn write_notification(out: &mut Vec<u8>, method: &str, params: &RawJson, meta: &Meta) {
    out.reserve(params.as_bytes().len() + method.len() + meta.len() + 60);
    out.extend_from_slice(HEAD);
    write_call(out, method, params, meta);
}

/// Appends the answer to a request of the peer's.
pub fn write_result(out: &mut Vec<u8>, id: &Id, result: &RawJson) {
    write_answer_head(out, id);
    out.extend_from_slice(br#","result":"#);
    out.extend_from_slice(result.as_bytes());
    out.push(b'}');
}

/// Appends an error as the answer to a request of the peer's.
pub fn write_error(out: &mut Vec<u8>, id: &Id, code: i64, message: &str, data: Option<&RawJson>) {
    write_answer_head(out, id);
    out.extend_from_slice(br#","error":{"code":"#);
    write_number(out, code);
    out.extend_from_slice(br#","message":"#);
    write_string(out, message);
    if let Some(data) = data {
        out.extend_from_slice(br#","data":"#);
        out.extend_from_slice(data.as_bytes());
    }
    out.extend_from_slice(b"}}");
}

/// Appends the answer to a request of the peer's. An error whose details are a JSON-RPC error object is passed
/// on as that object: somebody further away has answered with it.
pub fn write_answer(out: &mut Vec<u8>, id: &Id, outcome: &Result<RawJson>) {
    match outcome {
        Ok(result) => write_result(out, id, result),
        Err(error) => match error.details().filter(|details| is_error_object(details)) {
            Some(object) => write_error_object(out, id, object),
            None => {
                let code = match error.kind() {
                    ErrorKind::NotFound => code::METHOD_NOT_FOUND,
                    ErrorKind::InvalidRequest | ErrorKind::InvalidArguments => code::INVALID_PARAMS,
                    _ => code::INTERNAL_ERROR,
                };
                write_error(out, id, code, error.message(), error.details());
            }
        },
    }
}

/// Appends somebody else's error object as the answer to a request of the peer's.
pub fn write_error_object(out: &mut Vec<u8>, id: &Id, object: &RawJson) {
    write_answer_head(out, id);
    out.extend_from_slice(br#","error":"#);
    out.extend_from_slice(object.as_bytes());
    out.push(b'}');
}

/// Whether a value has what a JSON-RPC error object must have.
pub fn is_error_object(raw: &RawJson) -> bool {
    #[derive(Deserialize)]
    struct ErrorObject<'a> {
        #[serde(rename = "code")]
        _code: i64,
        #[serde(borrow, rename = "message")]
        _message: std::borrow::Cow<'a, str>,
    }
    raw.is_object() && raw.read::<ErrorObject<'_>>().is_ok()
}

/// Makes one line of JSON text. Raw line ends can only be white space in valid JSON (inside strings
/// they are escaped), so a space says the same.
pub fn squeeze_newlines(text: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'\n', b'\r', &text[at..]) {
        at += found;
        text[at] = b' ';
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("a text is JSON and memory takes it");
    }
}

fn write_answer_head(out: &mut Vec<u8>, id: &Id) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(br#","id":"#);
    match id {
        Id::Number(number) => write_number(out, *number),
        Id::String(text) => write_string(out, text),
        Id::Other(raw) => out.extend_from_slice(raw.as_bytes()),
    }
}

fn write_call(out: &mut Vec<u8>, method: &str, params: &RawJson, meta: &Meta) {
    out.extend_from_slice(br#","method":"#);
    write_string(out, method);
    out.extend_from_slice(br#","params":"#);
    meta.write_params(out, params);
    out.push(b'}');
}

pub(crate) fn write_number(out: &mut Vec<u8>, number: i64) {
    serde_json::to_writer(out, &number).expect("a number is JSON and memory takes it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        assert!(Message::parse(&out.clone().into()).is_ok());
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn messages_are_written_as_they_should() {
        let none = Meta::default();
        let check = |text: String, expected: &str| assert_eq!(text, expected);
        check(
            written(|out| write_request(out, 7, "tools/call", &raw(r#"{"a" : 1.0}"#), &none)),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"a" : 1.0}}"#,
        );
        check(
            written(|out| write_notification(out, "a\"b", &raw("{}"), &none)),
            r#"{"jsonrpc":"2.0","method":"a\"b","params":{}}"#,
        );
        check(
            written(|out| write_result(out, &Id::Other(raw("1.0")), &raw("{}"))),
            r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#,
        );
        check(
            written(|out| write_error(out, &Id::String("\n".into()), -1, "é\\", Some(&raw("[]")))),
            r#"{"jsonrpc":"2.0","id":"\n","error":{"code":-1,"message":"é\\","data":[]}}"#,
        );
    }

    #[test]
    fn a_line_has_no_line_ends() {
        let mut text = b"{\n\"a\":\r\n\"b\\n\"}\r".to_vec();
        squeeze_newlines(&mut text);
        assert_eq!(text, b"{ \"a\":  \"b\\n\"} ");
    }
}
