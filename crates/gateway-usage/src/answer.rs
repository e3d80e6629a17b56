//! What is measured of arguments and results, without reading more of them than must be.

use gateway_core::{Call, RawJson};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `{"name":"","arguments":}`: what stands in a call's params beside the tool's name and its arguments.
const ENVELOPE: usize = r#"{"name":"","arguments":}"#.len();

/// Bytes and characters of a call's arguments. What else its caller sent (`_meta`) counts with them.
pub(crate) fn arguments(call: &Call) -> (u64, u64) {
    let name = call.tool.as_ref().map_or("", |tool| tool.name());
    let bytes = length(call.params.as_bytes().len().saturating_sub(ENVELOPE + name.len()));
    let characters = characters(&call.params).saturating_sub(length(ENVELOPE + name.chars().count()));
    (bytes, characters)
}

/// How many characters a JSON text has.
pub(crate) fn characters(json: &RawJson) -> u64 {
    // All bytes but those that continue a character. In pieces whose number fits in a byte: so many are counted at a time.
    let begins = |byte: &u8| u8::from(byte & 0b1100_0000 != 0b1000_0000);
    let pieces = json.as_bytes().chunks(usize::from(u8::MAX));
    pieces.map(|piece| u64::from(piece.iter().map(begins).sum::<u8>())).sum()
}

/// Whether a `CallToolResult` says that its tool failed.
pub(crate) fn is_tool_error(result: &RawJson) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        #[serde(borrow)]
        is_error: Option<&'a RawValue>,
    }
    // Most results do not say so anywhere, and need not be parsed.
    says_is_error(result.as_bytes())
        && result.read::<Head<'_>>().is_ok_and(|head| head.is_error.is_some_and(|said| said.get() == "true"))
}

/// Whether `"isError": true` stands in a JSON text, at whatever depth.
fn says_is_error(text: &[u8]) -> bool {
    const KEY: &[u8] = br#""isError""#;
    memmem::find_iter(text, KEY).any(|place| {
        let value = text[place + KEY.len()..].trim_ascii_start().strip_prefix(b":");
        value.is_some_and(|value| value.trim_ascii_start().starts_with(b"true"))
    })
}

pub(crate) fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    #[test]
    fn only_the_result_itself_says_that_it_failed() {
        for (result, expected) in [
            (r#"{"content":[],"isError":true}"#, true),
            ("{\"isError\" :\n\ttrue}", true),
            (r#"{"isError":false}"#, false),
            (r#"{"content":[]}"#, false),
            (r#"{"structuredContent":{"isError":true}}"#, false),
            (r#"{"structuredContent":{"isError":true},"isError":false}"#, false),
            (r#"{"structuredContent":{"isError":false},"isError":true}"#, true),
            (r#"{"content":[{"type":"text","text":"\"isError\":true"}]}"#, false),
            (r#"{"isError":"true"}"#, false),
            (r#"{"isError":null}"#, false),
            (r#"["isError",true]"#, false),
            ("true", false),
        ] {
            assert_eq!(is_tool_error(&json(result)), expected, "{result}");
        }
    }

    #[test]
    fn characters_are_no_bytes() {
        for text in [r#""""#, r#""abc""#, r#""é€𝄞""#, r#"{"a":["日本語",1.5]}"#, &format!("\"{}\"", "xé".repeat(1000))]
        {
            assert_eq!(characters(&json(text)), text.chars().count() as u64, "{text}");
        }
    }
}
