//! What the gateway reads of a `CallToolResult`, without changing or believing it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::Entries;

/// The parts of a result that the wire shows beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolResult<'a> {
    /// The tool says that it failed.
    pub is_error: bool,
    /// The texts of its text parts, as they stand between the quotes: escapes are still escapes.
    pub texts: Vec<&'a str>,
}

impl<'a> ToolResult<'a> {
    /// Reads a result. What is not as MCP has it is passed over: the whole result goes to the caller anyway.
    pub(crate) fn of(result: &'a str) -> Self {
        let read = serde_json::from_str::<Orderly<'a>>(result).map(|read| Self::of_orderly(&read));
        read.unwrap_or_else(|_| Self::of_odd(result))
    }

    fn of_orderly(result: &Orderly<'a>) -> Self {
        Self {
            is_error: result.is_error.is_some_and(|raw| raw.get() == "true"),
            texts: result
                .content
                .iter()
                .filter_map(|part| text_of(part.kind.map(RawValue::get), part.text.map(RawValue::get)))
                .collect(),
        }
    }

    /// Repeated keys, parts that are no objects, content that is no list.
    fn of_odd(result: &'a str) -> Self {
        let Some(entries) = Entries::of(result) else { return Self::default() };
        let parts: Vec<&'a RawValue> =
            entries.last("content").and_then(|content| serde_json::from_str(content).ok()).unwrap_or_default();
        Self {
            is_error: entries.last("isError") == Some("true"),
            texts: parts
                .iter()
                .filter_map(|part| {
                    let part = Entries::of(part.get())?;
                    text_of(part.last("type"), part.last("text"))
                })
                .collect(),
        }
    }
}

#[derive(Deserialize)]
struct Orderly<'a> {
    #[serde(borrow, default)]
    content: Vec<Part<'a>>,
    #[serde(borrow, rename = "isError")]
    is_error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

fn text_of<'a>(kind: Option<&str>, text: Option<&'a str>) -> Option<&'a str> {
    let kind = kind?;
    let is_text = kind == r#""text""#
        || (kind.contains('\\') && serde_json::from_str::<String>(kind).is_ok_and(|kind| kind == "text"));
    if !is_text {
        return None;
    }
    text?.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_texts_in_whatever_comes() {
        let check = |result: &str, is_error: bool, texts: &[&str]| {
            let found = ToolResult::of(result);
            assert_eq!((found.is_error, found.texts.as_slice()), (is_error, texts), "{result}");
        };
        check(r#"{"content":[{"type":"text","text":"a\n\"b\u00e9"}]}"#, false, &[r#"a\n\"b\u00e9"#]);
        check(
            r#"{"isError":true,"content":[{"text":"x","type":"text"},{"type":"image","data":""},{"type":"text","text":""}]}"#,
            true,
            &["x", ""],
        );
        check(
            r#"{"content":[{"type":"hologram","text":"no"},{"type":"resource","resource":{"text":"no"}}]}"#,
            false,
            &[],
        );
        check(r#"{"content":[{"type":"\u0074ext","text":"x"}]}"#, false, &["x"]);
        check(
            r#"{"content":[1,null,"s",{"type":"text","text":"x"},{"type":"text","text":5},{"type":"text"}]}"#,
            false,
            &["x"],
        );
        check(r#"{"content":[{"type":"text","text":"x","text":"y"}],"isError":true,"isError":false}"#, false, &["y"]);
        check(r#"{"content":"text"}"#, false, &[]);
        check(r#"{"content":[1e999, {"type":"text","text":"x"}]}"#, false, &["x"]);
        check(r#"{"isError":"true"}"#, false, &[]);
        check("{}", false, &[]);
        check("[]", false, &[]);
        check("null", false, &[]);
        check("17", false, &[]);
    }
}
