//! What a tool returned, as text.

use serde_json::Value;

/// A `CallToolResult` as text: its texts, a note for each part that is none, and its structured content where that
/// says more than the texts. The error is that of a tool which reports one.
///
/// # Errors
/// Where the tool reported an error.
pub fn text_of_result(result: &Value) -> Result<String, String> {
    let parts = result["content"].as_array().into_iter().flatten();
    let mut texts: Vec<String> = parts.map(text_of_part).collect();
    let structured = &result["structuredContent"];
    // Many servers send the same once more as JSON text, for clients that know no structured content.
    let is_new = !texts.iter().any(|text| serde_json::from_str::<Value>(text).is_ok_and(|value| value == *structured));
    if !structured.is_null() && is_new {
        texts.push(format!("{structured:#}"));
    }
    let text = texts.join("\n");
    match result["isError"] == true {
        true => Err(format!("the tool failed: {text}")),
        false => Ok(text),
    }
}

fn text_of_part(part: &Value) -> String {
    let text = |member: &str| part[member].as_str().unwrap_or_default();
    match text("type") {
        "text" => text("text").to_owned(),
        kind @ ("image" | "audio") => format!("[{kind}: {}, {} bytes]", text("mimeType"), decoded_size(text("data"))),
        "resource_link" => format!("[resource: {}, {}]", text("name"), text("uri")),
        "resource" => text_of_resource(&part["resource"]),
        other => format!("[a part of type {other:?} that cannot be shown]"),
    }
}

/// What a resource contains: its text, or a note where it is none.
pub fn text_of_resource(resource: &Value) -> String {
    let member = |member: &str| resource[member].as_str();
    let (uri, kind) = (member("uri").unwrap_or_default(), member("mimeType").unwrap_or("unknown type"));
    match (member("text"), member("blob")) {
        (Some(text), _) => text.to_owned(),
        (None, blob) => format!("[{uri}: {kind}, {} bytes]", decoded_size(blob.unwrap_or_default())),
    }
}

/// How many bytes are written in so much base64.
fn decoded_size(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_text() {
        let cases = [
            (json!({ "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }), Ok("a\nb")),
            (json!({ "content": [], "structuredContent": { "n": 1 } }), Ok("{\n  \"n\": 1\n}")),
            (
                json!({ "content": [{ "type": "text", "text": "{\"n\":1}" }], "structuredContent": { "n": 1 } }),
                Ok("{\"n\":1}"),
            ),
            (
                json!({ "content": [{ "type": "image", "mimeType": "image/png", "data": "AAAAAA==" }] }),
                Ok("[image: image/png, 4 bytes]"),
            ),
            (
                json!({ "content": [{ "type": "resource_link", "name": "log", "uri": "file:///log" }] }),
                Ok("[resource: log, file:///log]"),
            ),
            (json!({ "content": [{ "type": "resource", "resource": { "uri": "x:y", "text": "z" } }] }), Ok("z")),
            (
                json!({ "content": [{ "type": "resource", "resource": { "uri": "x:y", "blob": "AAAA" } }] }),
                Ok("[x:y: unknown type, 3 bytes]"),
            ),
            (json!({ "content": [{ "type": "hologram" }] }), Ok("[a part of type \"hologram\" that cannot be shown]")),
            (json!({ "content": [{ "type": "text", "text": "no" }], "isError": true }), Err("the tool failed: no")),
            (json!({}), Ok("")),
        ];
        for (result, expected) in cases {
            assert_eq!(text_of_result(&result).as_deref().map_err(String::as_str), expected, "{result}");
        }
    }
}
