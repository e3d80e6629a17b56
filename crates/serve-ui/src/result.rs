//! What a tool answered: hostile content, shown as text, or as an image that is nothing but one.

use gateway_core::RawJson;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::format::{MAX_SHOWN, bytes, cut, pretty};

/// Most parts that are shown, and the largest image, in bytes of its base64.
const MAX_PARTS: usize = 100;
const MAX_IMAGE: usize = 8 * 1024 * 1024;

/// Whether the tool says itself that it failed.
pub(crate) fn is_error(result: &RawJson) -> bool {
    result.read::<Outline<'_>>().is_ok_and(|outline| outline.is_error.is_some_and(|raw| raw.get() == "true"))
}

/// A `CallToolResult`, part by part, and the whole of it.
pub(crate) fn show(result: &RawJson) -> Markup {
    let outline: Outline<'_> = result.read().unwrap_or_default();
    let parts: Vec<&RawValue> =
        outline.content.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    html! {
        @for raw in parts.iter().take(MAX_PARTS) { (part(raw)) }
        @if parts.len() > MAX_PARTS { p.muted { (parts.len() - MAX_PARTS) " more parts are not shown." } }
        @if let Some(structured) = outline.structured_content {
            h4 { "Structured content" }
            pre tabindex="0" { (pretty(structured.get())) }
        }
        @if parts.is_empty() && outline.structured_content.is_none() { p.muted { "The tool answered without content." } }
        details.raw { summary { "Whole result · " (bytes(result.as_bytes().len() as u64)) } pre tabindex="0" { (pretty(result.as_str())) } }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    structured_content: Option<&'a RawValue>,
    #[serde(borrow)]
    is_error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    data: Option<String>,
    mime_type: Option<String>,
}

fn part(raw: &RawValue) -> Markup {
    let read = serde_json::from_str(raw.get()).ok();
    match read {
        Some(Part { kind, text: Some(text), .. }) if kind == "text" => html! {
            pre.text tabindex="0" { (cut(&text, MAX_SHOWN)) }
            @if text.len() > MAX_SHOWN { p.muted { "The first " (bytes(MAX_SHOWN as u64)) " of " (bytes(text.len() as u64)) "." } }
        },
        Some(Part { kind, data: Some(data), mime_type: Some(mime_type), .. })
            if kind == "image" && is_image(&mime_type) && data.len() <= MAX_IMAGE && is_base64(&data) =>
        {
            html! {
                figure.image {
                    img src=(format!("data:{mime_type};base64,{data}")) alt="The image that the tool answered";
                    figcaption { (mime_type) " · " (bytes(data.len() as u64 / 4 * 3)) }
                }
            }
        }
        _ => html! { pre tabindex="0" { (pretty(raw.get())) } },
    }
}

/// `image/…` and nothing else: whatever stands in a data URL before its comma is the server's word.
fn is_image(mime_type: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'+' | b'-');
    mime_type.strip_prefix("image/").is_some_and(|rest| (1..=40).contains(&rest.len()) && rest.bytes().all(is_plain))
}

fn is_base64(data: &str) -> bool {
    data.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        show(&RawJson::parse(text.to_owned()).expect("JSON")).into_string()
    }

    #[test]
    fn texts_are_text_and_images_images() {
        let check = |result: &str, expected: &str| {
            let text = shown(result);
            let (before, _) = text.split_once("<details").expect("the whole result");
            assert_eq!(before, expected, "{result}");
        };
        check(
            r#"{"content":[{"type":"text","text":"<b>&"}]}"#,
            "<pre class=\"text\" tabindex=\"0\">&lt;b&gt;&amp;</pre>",
        );
        check(
            r#"{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"}]}"#,
            "<figure class=\"image\"><img src=\"data:image/png;base64,AAAA\" alt=\"The image that the tool answered\"><figcaption>image/png · 3 B</figcaption></figure>",
        );
        check(r#"{"content":[]}"#, "<p class=\"muted\">The tool answered without content.</p>");
        check(r#"{"structuredContent":1.0}"#, "<h4>Structured content</h4><pre tabindex=\"0\">1.0</pre>");
    }

    #[test]
    fn what_pretends_to_be_an_image_is_shown_as_json() {
        for (mime_type, data) in [
            ("text/html", "AAAA"),
            ("image/png,<script>", "AAAA"),
            ("image/svg+xml;x=y", "AAAA"),
            ("image/", "AAAA"),
            ("image/png", "\\\"><script>alert(1)</script>"),
        ] {
            let text =
                shown(&format!(r#"{{"content":[{{"type":"image","mimeType":"{mime_type}","data":"{data}"}}]}}"#));
            assert!(!text.contains("<img") && !text.contains("<script"), "{text}");
        }
        assert!(
            shown(r#"{"content":[7,{"type":"resource","resource":{"text":"</pre><a>"}}]}"#).contains("&lt;/pre&gt;")
        );
    }

    #[test]
    fn failures_are_known() {
        let check =
            |text: &str, expected| assert_eq!(is_error(&RawJson::parse(text.to_owned()).expect("JSON")), expected);
        check(r#"{"isError":true}"#, true);
        check(r#"{"isError":"true"}"#, false);
        check("[]", false);
    }
}
