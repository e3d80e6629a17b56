//! Request headers that repeat parts of the body (SEP-2243).

use std::borrow::Cow;

use hyper::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::declarations::CUSTOM_HEADER;
use crate::reference::wire::{Fault, HEADER_MISMATCH, Params};

/// Whether a call of `test_custom_header` repeats its argument `region` as the tool's declaration wants.
pub(in crate::reference) fn check(headers: &HeaderMap, params: &Params<'_>) -> Result<(), Fault> {
    #[derive(Default, Deserialize)]
    struct Arguments {
        region: Option<String>,
    }
    if params.name.as_deref() != Some("test_custom_header") {
        return Ok(());
    }
    let arguments: Arguments =
        params.arguments.map(RawValue::get).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let header = headers.get(CUSTOM_HEADER).map(|value| value.to_str().ok().and_then(decoded));
    match (header, arguments.region) {
        (None, None) => Ok(()),
        (Some(Some(header)), Some(region)) if header == region => Ok(()),
        _ => Err(Fault::new(HEADER_MISMATCH, format!("the {CUSTOM_HEADER} header does not match the body"))),
    }
}

/// What a header value stands for: itself, or what `=?base64?..?=` wraps; `None` where that is broken.
pub(in crate::reference) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(value)),
        Some(wrapped) => Some(Cow::Owned(String::from_utf8(from_base64(wrapped)?).ok()?)),
    }
}

/// Strict: whole groups of four, padding only at the end, no bits left over.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            bits = (bits << 6) | six_bits(digit)?;
        }
        bits <<= 6 * (4 - group.len());
        let three = bits.to_be_bytes();
        // A single digit has no whole byte; `chunks` gives none that is empty.
        let (kept, rest) = three[1..].split_at(group.len() - 1);
        if kept.is_empty() || rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn six_bits(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_is_literal_or_strict_base64() {
        for (value, expected) in [
            ("us-west1", Some("us-west1")),
            ("=?base64?SGVsbG8=?=", Some("Hello")),
            ("=?base64?SGVsbA==?=", Some("Hell")),
            ("=?base64?SGVs?=", Some("Hel")),
            ("=?base64?w6k=?=", Some("é")),
            ("=?base64??=", Some("")),
            ("SGVsbG8=", Some("SGVsbG8=")),
            ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
            ("=?base64?SGVsbG8?=", None),
            ("=?base64?SGVs!!!bG8=?=", None),
            ("=?base64?SGVsbG9=?=", None),
            ("=?base64?A===?=", None),
            ("=?base64?/w==?=", None),
        ] {
            assert_eq!(decoded(value).as_deref(), expected, "{value}");
        }
    }
}
