//! A tool → what a model is shown of it.

use std::fmt;

use gateway_core::{RawJson, Tool};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::text::one_line;

const MAX_NAME: usize = 128;
const MAX_SERVER: usize = 64;
const MAX_TITLE: usize = 100;
const MAX_PARAMETERS: usize = 160;
const MAX_PARAMETER: usize = 40;

/// Schemas above this size are not read for every search.
const MAX_SCHEMA: usize = 64 * 1024;

/// What a model is shown of one tool. All of it may come from a stranger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Candidate {
    server: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// Names only, joined: what tells siblings apart, and nothing that a model could take for an instruction.
    #[serde(skip_serializing_if = "String::is_empty")]
    parameters: String,
}

impl Candidate {
    pub(crate) fn new(server: &str, tool: &Tool, max_description_bytes: usize) -> Self {
        Self {
            server: one_line(server, MAX_SERVER),
            name: one_line(tool.name(), MAX_NAME),
            title: one_line(tool.title().unwrap_or_default(), MAX_TITLE),
            description: one_line(tool.description(), max_description_bytes),
            parameters: parameters(tool.input_schema()),
        }
    }
}

/// The names of the parameters of the outermost object.
fn parameters(schema: &RawJson) -> String {
    #[derive(Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: Names,
    }
    if schema.as_bytes().len() > MAX_SCHEMA {
        return String::new();
    }
    // Any JSON is a schema; one of another form has no names to show.
    schema.read::<Schema>().map(|schema| one_line(&schema.properties.0, MAX_PARAMETERS)).unwrap_or_default()
}

/// The keys of an object, each cut short, as far as there is room for them.
#[derive(Default)]
struct Names(String);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = String::new();
                while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
                    if names.len() <= MAX_PARAMETERS {
                        names.extend([if names.is_empty() { "" } else { ", " }, &one_line(&key, MAX_PARAMETER)]);
                    }
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_names() {
        let check = |schema: &str, expected: &str| {
            let schema = RawJson::parse(schema.to_owned()).expect("JSON");
            assert_eq!(parameters(&schema), expected, "{schema:?}");
        };
        check(r#"{"properties":{"repo":{"description":"x"},"a\nb":{"properties":{"c":{}}}}}"#, "repo, a b");
        check(r#"{"type":"object"}"#, "");
        check(r#"{"properties":[1]}"#, "");
        check(r#"{"properties":null}"#, "");
        let long = format!(r#"{{"properties":{{"{}":1,"b":2}}}}"#, "a".repeat(1_000));
        check(&long, &format!("{}…, b", "a".repeat(37)));
    }

    #[test]
    fn a_huge_schema_is_not_read() {
        let schema = format!(r#"{{"x":"{}","properties":{{"a":1}}}}"#, "y".repeat(MAX_SCHEMA));
        assert_eq!(parameters(&RawJson::parse(schema).expect("JSON")), "");
    }
}
