//! A tool → the text by which it is found.

use std::fmt;

use gateway_core::{ServerTools, Tool};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// How much of a description is read, in bytes. The first sentences say what a tool is for; what follows tells how
/// to call it.
const MAX_DESCRIPTION: usize = 600;

/// How much of each of the names and of the title is read, in bytes.
const MAX_NAME: usize = 200;

/// How many parameters are named.
const MAX_PARAMETERS: usize = 24;

/// The text of `tool` of `server`: who has it, what it is called, what it does, what it takes.
pub(crate) fn document(server: &ServerTools, tool: &Tool) -> String {
    let mut text = String::new();
    for part in [server.server(), tool.name(), tool.title().unwrap_or_default()] {
        push(&mut text, bounded(part, MAX_NAME), ". ");
    }
    push(&mut text, bounded(tool.description(), MAX_DESCRIPTION), " ");
    for parameter in parameters(tool) {
        push(&mut text, bounded(&parameter, MAX_NAME), " ");
    }
    text
}

/// The part of the text of `tool` from which words are named in explanations.
pub(crate) fn gist(tool: &Tool) -> String {
    let mut text = String::new();
    push(&mut text, bounded(tool.name(), MAX_NAME), ". ");
    push(&mut text, bounded(tool.description(), MAX_DESCRIPTION), "");
    text
}

/// The first `most` bytes of `text`, or up to three less, so that no character is cut.
pub(crate) fn bounded(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn push(text: &mut String, part: &str, end: &str) {
    if !part.is_empty() {
        text.extend([part, end]);
    }
}

/// The names of the parameters of `tool`; none where its schema is of a shape that is not understood.
fn parameters(tool: &Tool) -> Vec<String> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Schema {
        properties: Names,
    }
    tool.input_schema().read::<Schema>().map(|schema| schema.properties.0).unwrap_or_default()
}

/// The first keys of an object.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadNames)
    }
}

struct ReadNames;

impl<'de> Visitor<'de> for ReadNames {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if names.len() < MAX_PARAMETERS {
                names.push(name);
            }
        }
        Ok(Names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::RawJson;
    use serde_json::json;

    fn check(declared: &str, expected: &str) {
        let server = ServerTools::new("git-hub", "", vec![RawJson::parse(declared.to_owned()).expect("JSON")]);
        assert_eq!(document(&server, &server.tools()[0]), expected, "{declared}");
    }

    #[test]
    fn names_everything_that_tells() {
        check(
            r#"{ "name": "createIssue", "title": "New issue", "description": "Opens a ticket.", "inputSchema":
                { "type": "object", "properties": { "repo": { "properties": { "no": {} } }, "dueDate": true } } }"#,
            "git-hub. createIssue. New issue. Opens a ticket. repo dueDate ",
        );
        check(r#"{ "name": "a", "inputSchema": {} }"#, "git-hub. a. ");
    }

    #[test]
    fn any_declaration_will_do_and_is_bounded() {
        for properties in ["null", "[1]", r#""x""#, "{}", r#"{"\ud800":1}"#] {
            check(&format!(r#"{{"name":"a","inputSchema":{{"properties":{properties}}}}}"#), "git-hub. a. ");
        }
        let properties: serde_json::Map<_, _> =
            (0..10_000).map(|place| (format!("{place}{}", "é".repeat(1_000)), json!({}))).collect();
        let declared = json!({ "name": "é".repeat(500), "title": "é".repeat(90_000), "description": "€".repeat(90_000),
            "inputSchema": { "properties": properties } });
        let server =
            ServerTools::new("é".repeat(90_000), "", vec![RawJson::from_value(&declared).expect("it is JSON")]);
        let length = document(&server, &server.tools()[0]).len();
        assert!((3_000..8_000).contains(&length), "{length}");
    }
}
