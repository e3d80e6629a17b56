//! HTTP's failures and providers' refusals → ours.
//!
//! Of what a provider writes, only its codes are kept: its sentences may repeat the key or the request.

use std::time::{Duration, SystemTime};

use gateway_core::{Error, ErrorKind, Retry, Secret};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use http_body_util::LengthLimitError;
use serde_json::Value;

/// Codes of more bytes are none.
const MAX_CODE: usize = 64;

/// What is shorter can be part of a key by chance.
const SHORTEST_PART: usize = 4;

/// The request did not get there, or nothing came back.
pub(crate) fn unreached(source: hyper_util::client::legacy::Error) -> Error {
    let (kind, what) = match source.is_connect() {
        true => (ErrorKind::Unavailable, "ask the model: its API cannot be reached"),
        false => (ErrorKind::UpstreamFailed, "ask the model: its API closed the connection"),
    };
    Error::new(kind, what).with_retry(Retry::Safe).with_source(source)
}

/// The answer broke off, or has no end.
pub(crate) fn unread(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match source.is::<LengthLimitError>() {
        true => Error::new(ErrorKind::UpstreamFailed, "ask the model: its API's answer is too large"),
        false => Error::new(ErrorKind::UpstreamFailed, "ask the model: its API's answer broke off")
            .with_retry(Retry::Safe)
            .with_source(source),
    }
}

/// What came is no answer of this API.
pub(crate) fn unexpected(what: &'static str) -> Error {
    Error::new(ErrorKind::UpstreamFailed, format!("ask the model: its API's answer cannot be read: {what}"))
}

/// The model was stopped because its answer is as long as allowed.
pub(crate) fn cut_off() -> Error {
    Error::new(ErrorKind::TooLarge, "ask the model: its answer is longer than `max_output_tokens`")
}

/// The model, or a filter before or behind it, does not want to.
pub(crate) fn declined() -> Error {
    Error::new(ErrorKind::InvalidArguments, "ask the model: it declined this request")
}

/// The API answered a request that was signed with `key` with a `status` of failure.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8], key: &Secret) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Gemini's compatible API wraps its error into a list.
    let said = body.get(0).unwrap_or(&body).get("error").cloned().unwrap_or_default();
    let codes = codes(&said, key);
    let has = |code: &str| codes.iter().any(|said| said == code);
    let (kind, retry) = match status.as_u16() {
        // Azure's filter, before the model.
        400 if has("content_filter") => return declined(),
        // Gemini's way to say 401.
        400 if has("API_KEY_INVALID") => (ErrorKind::Unauthenticated, Retry::Never),
        401 => (ErrorKind::Unauthenticated, Retry::Never),
        402 | 403 => (ErrorKind::Forbidden, Retry::Never),
        404 => (ErrorKind::NotFound, Retry::Never),
        // OpenAI's way to say 402.
        429 if has("insufficient_quota") => (ErrorKind::Forbidden, Retry::Never),
        429 => (ErrorKind::RateLimited, Retry::Safe),
        408 | 500.. => (ErrorKind::Unavailable, Retry::Safe),
        300..=399 => (ErrorKind::UpstreamFailed, Retry::Never),
        _ => (ErrorKind::InvalidRequest, Retry::Never),
    };
    let mut error = Error::new(kind, format!("ask the model: its API answered {}", status.as_u16())).with_retry(retry);
    if let Some(pause) = retry_after(headers).or_else(|| retry_delay(&said)).filter(|_| retry == Retry::Safe) {
        error = error.with_retry_after_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    }
    if codes.is_empty() { error } else { error.with_context("codes", codes.join(" ")) }
}

/// The words for machines in an error of OpenAI (`type`, `code`, `param`), Anthropic (`type`) or Google (`status`,
/// `details[].reason`), unless the key or a part of it is among them.
fn codes(said: &Value, key: &Secret) -> Vec<String> {
    let details = said["details"].as_array().into_iter().flatten().map(|detail| &detail["reason"]);
    let fields = ["type", "code", "param", "status"].into_iter().map(|field| &said[field]);
    let is_code = |text: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let key = key.expose();
        let is_key = !key.is_empty() && (text.contains(key) || text.len() >= SHORTEST_PART && key.contains(*text));
        (1..=MAX_CODE).contains(&text.len()) && text.bytes().all(plain) && !is_key
    };
    fields.chain(details.take(8)).filter_map(Value::as_str).filter(is_code).map(str::to_owned).collect()
}

/// `retry-after-ms` (OpenAI's), or `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: Option<&http::HeaderValue>| Some(value?.to_str().ok()?.trim().to_owned());
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if let Some(ms) = text(headers.get("retry-after-ms")).and_then(|text| number(&text)) {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    let after = text(headers.get(RETRY_AFTER))?;
    if let Some(seconds) = number(&after) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(&after).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Google's `google.rpc.RetryInfo`: `"retryDelay": "34.07s"`.
fn retry_delay(said: &Value) -> Option<Duration> {
    let details = said["details"].as_array()?.iter().take(8);
    let delay = details.filter_map(|detail| detail["retryDelay"].as_str()).next()?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Error {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::try_from(*value).expect("a header"))
        });
        let status = StatusCode::from_u16(status).expect("a status");
        refused(status, &headers.collect(), body.to_string().as_bytes(), &Secret::new("sk-hunter2-0815"))
    }

    #[test]
    fn refusals_have_kinds() {
        let openai = |code: &str| json!({"error": {"message": "sk-hunter2", "type": "t", "param": null, "code": code}});
        let google = |reason: &str| {
            let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
            json!({"error": {"code": 400, "message": "hunter2", "status": "INVALID_ARGUMENT", "details": details}})
        };
        for (status, body, kind, retry) in [
            (400, openai("x"), ErrorKind::InvalidRequest, Retry::Never),
            (400, openai("content_filter"), ErrorKind::InvalidArguments, Retry::Never),
            (400, google("API_KEY_INVALID"), ErrorKind::Unauthenticated, Retry::Never),
            (400, google("hunter2 with blanks"), ErrorKind::InvalidRequest, Retry::Never),
            (401, openai("invalid_api_key"), ErrorKind::Unauthenticated, Retry::Never),
            (403, json!("hunter2"), ErrorKind::Forbidden, Retry::Never),
            (404, openai("model_not_found"), ErrorKind::NotFound, Retry::Never),
            (429, openai("rate_limit_exceeded"), ErrorKind::RateLimited, Retry::Safe),
            (429, openai("insufficient_quota"), ErrorKind::Forbidden, Retry::Never),
            (408, json!(null), ErrorKind::Unavailable, Retry::Safe),
            (500, json!([1]), ErrorKind::Unavailable, Retry::Safe),
            (529, json!({"type": "error", "error": {"type": "overloaded_error"}}), ErrorKind::Unavailable, Retry::Safe),
            (302, json!({}), ErrorKind::UpstreamFailed, Retry::Never),
        ] {
            let error = answer(status, &[], &body);
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{status} {body}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        for part in ["sk-hunter2-0815", "sk-hunter2", "key.sk-hunter2-0815"] {
            let error = answer(401, &[], &openai(part));
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(format!("{:?}", answer(404, &[], &openai("model_not_found"))).contains("model_not_found"));
    }

    #[test]
    fn when_to_come_again_is_read() {
        let check = |headers: &[(&'static str, &str)], body: Value, expected: Option<u64>| {
            assert_eq!(answer(429, headers, &body).retry_after_ms(), expected, "{headers:?} {body}");
        };
        let soon = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(9));
        check(&[("retry-after", "7")], json!({}), Some(7_000));
        check(&[("retry-after", " 0.5 ")], json!({}), Some(500));
        check(&[("retry-after", "7"), ("retry-after-ms", "120")], json!({}), Some(120));
        check(&[("retry-after", &soon)], json!({}), Some(0));
        check(&[], json!({"error": {"details": [{}, {"retryDelay": "1.5s"}]}}), Some(1_500));
        for odd in ["", "-1", "NaN", "inf", "1e300", "soon", "tomorrow, 99:99"] {
            check(&[("retry-after", odd)], json!({}), None);
        }
        check(&[], json!({"error": {"details": [{"retryDelay": "-1s"}]}}), None);
        let late = SystemTime::now() + Duration::from_secs(3_600);
        let error = answer(503, &[("retry-after", &httpdate::fmt_http_date(late))], &json!({}));
        assert!((3_590_000..=3_600_000).contains(&error.retry_after_ms().expect("a time")));
    }
}
