//! What an HTTP status that says no means for the request.

use gateway_core::{Error, ErrorKind, Retry};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::{RpcError, code};

/// The error for a request that a server refused with this status, without a word of JSON-RPC. `endpoint`
/// says what was looked for at its URL: `Streamable HTTP`.
pub fn http_refusal(endpoint: &str, status: StatusCode, headers: &HeaderMap) -> Error {
    let failed = |message: String| Error::new(ErrorKind::UpstreamFailed, message);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let code = status.as_u16();
    let error = match code {
        401 => {
            failed("cannot reach the server: it wants credentials (401); set an Authorization header for it".to_owned())
        }
        403 => failed("cannot reach the server: it forbids us access (403)".to_owned()),
        300..=399 => failed(format!(
            "cannot reach the server: it redirects ({code}) to {}; put that URL into its configuration",
            text(LOCATION).map_or_else(|| "an unknown place".to_owned(), printable)
        )),
        404 | 405 => failed(format!("cannot reach the server: there is no {endpoint} endpoint at its URL ({code})")),
        // No retry of ours: it has just asked for fewer requests. The caller hears when to come back.
        429 => Error::new(ErrorKind::RateLimited, "cannot reach the server: it has too many requests (429)"),
        502..=504 => {
            Error::new(ErrorKind::Unavailable, format!("cannot reach the server: it is not available ({code})"))
                .with_retry(Retry::IfIdempotent)
        }
        500..=599 => {
            failed(format!("cannot get an answer: the server failed ({code})")).with_retry(Retry::IfIdempotent)
        }
        _ => failed(format!("cannot get an answer: the server refused the request ({code})")),
    };
    let seconds = text(RETRY_AFTER).and_then(|text| text.trim().parse::<u64>().ok());
    match (error.kind(), seconds) {
        (ErrorKind::Unavailable | ErrorKind::RateLimited, Some(seconds)) => {
            error.with_retry_after_ms(seconds.saturating_mul(1000))
        }
        _ => error,
    }
}

/// Whether a server says by this status, and by the error in its body, that it does not know our session: 404 by
/// the protocol, and 400 with such a text by the many servers made after the TypeScript SDK's example.
pub fn means_lost_session(status: StatusCode, said: Option<&RpcError>) -> bool {
    match (status, said) {
        (StatusCode::NOT_FOUND, None) => true,
        (StatusCode::NOT_FOUND, Some(said)) => said.code != code::METHOD_NOT_FOUND,
        (StatusCode::BAD_REQUEST, Some(said)) => {
            !matches!(said.code, code::INVALID_PARAMS | code::METHOD_NOT_FOUND)
                && said.message.to_ascii_lowercase().contains("session")
        }
        _ => false,
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_status_says_what_to_do() {
        let headers: HeaderMap =
            [(LOCATION, HeaderValue::from_static("http://h/other")), (RETRY_AFTER, HeaderValue::from_static(" 7 "))]
                .into_iter()
                .collect();
        let check = |code: u16, kind: ErrorKind, retry: Retry, retry_after_ms: Option<u64>, words: &str| {
            let status = StatusCode::from_u16(code).expect("a status");
            let error = http_refusal("Old", status, &headers);
            assert_eq!((error.kind(), error.retry(), error.retry_after_ms()), (kind, retry, retry_after_ms), "{code}");
            assert!(error.message().contains(words), "{error}");
        };
        let failed = ErrorKind::UpstreamFailed;
        check(307, failed, Retry::Never, None, "http://h/other");
        check(400, failed, Retry::Never, None, "400");
        check(401, failed, Retry::Never, None, "Authorization");
        check(404, failed, Retry::Never, None, "no Old endpoint");
        check(429, ErrorKind::RateLimited, Retry::Never, Some(7000), "429");
        check(500, failed, Retry::IfIdempotent, None, "500");
        check(503, ErrorKind::Unavailable, Retry::IfIdempotent, Some(7000), "503");
        let error = http_refusal("Old", StatusCode::FOUND, &HeaderMap::new());
        assert!(error.message().contains("an unknown place"), "{error}");
    }

    #[test]
    fn a_lost_session_is_told_from_other_refusals() {
        let check = |status: u16, said: Option<(i64, &str)>, expected: bool| {
            let raw = gateway_core::RawJson::empty_object();
            let said = said.map(|(code, message)| RpcError { code, message: message.to_owned(), raw });
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(means_lost_session(status, said.as_ref()), expected, "{status} {said:?}");
        };
        check(404, None, true);
        check(404, Some((-32001, "Session not found")), true);
        check(404, Some((code::METHOD_NOT_FOUND, "Method not found")), false);
        check(400, Some((-32000, "Bad Request: No valid session ID provided")), true);
        check(400, Some((code::INVALID_PARAMS, "the session argument is missing")), false);
        check(400, Some((-32000, "Bad Request")), false);
        check(400, None, false);
        check(401, Some((-32000, "session")), false);
    }
}
