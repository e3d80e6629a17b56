//! Arguments of tools that are repeated in HTTP headers (SEP-2243).

use serde_json::Value;

use crate::http::Headers;

/// Whether the annotations `x-mcp-header` of a tool are as they must be; a client leaves out a tool whose
/// are not.
pub fn is_valid(schema: &Value) -> bool {
    let mut seen = Vec::new();
    annotated(schema).all(|(_, field, header)| {
        let Some(header) = header.as_str() else { return false };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let fresh = !seen.contains(&header.to_ascii_lowercase());
        seen.push(header.to_ascii_lowercase());
        let primitive = matches!(field["type"].as_str(), Some("string" | "integer" | "boolean"));
        !header.is_empty() && header.bytes().all(token) && fresh && primitive
    })
}

/// The headers for a call with these arguments.
pub fn headers(schema: &Value, arguments: &Value) -> Headers {
    annotated(schema)
        .filter_map(|(name, _, header)| {
            let value = match &arguments[name] {
                Value::String(text) => encoded(text),
                Value::Null => return None,
                other => other.to_string(),
            };
            Some((format!("mcp-param-{}", header.as_str()?), value))
        })
        .collect()
}

/// A text as a header value: itself where it may stand there, else wrapped.
pub fn encoded(text: &str) -> String {
    let printable = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if printable && text.trim() == text && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", base64(text.as_bytes()))
}

fn annotated(schema: &Value) -> impl Iterator<Item = (&String, &Value, &Value)> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.filter_map(|(name, field)| Some((name, field, field.get("x-mcp-header")?)))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| (bits << 8) | usize::from(group.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_wrapped_where_they_must() {
        for (text, expected) in [
            ("us west 1", "us west 1"),
            ("", ""),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }

    #[test]
    fn bad_annotations_are_found() {
        let schema = |fields: Value| json!({ "properties": fields });
        let field = |kind: &str, header: &str| json!({ "type": kind, "x-mcp-header": header });
        assert!(is_valid(&schema(json!({ "a": field("string", "Region"), "b": { "type": "number" } }))));
        for bad in [
            json!({ "a": field("string", "") }),
            json!({ "a": field("number", "Score") }),
            json!({ "a": field("string", "My Region") }),
            json!({ "a": field("string", "Region"), "b": field("string", "region") }),
        ] {
            assert!(!is_valid(&schema(bad.clone())), "{bad}");
        }
        let arguments = json!({ "a": "x", "n": null, "b": 7 });
        let fields = json!({ "a": field("string", "A"), "n": field("boolean", "N"), "b": field("integer", "B") });
        let expected = [("mcp-param-A".to_owned(), "x".to_owned()), ("mcp-param-B".to_owned(), "7".to_owned())];
        assert_eq!(headers(&schema(fields), &arguments), expected);
    }
}
