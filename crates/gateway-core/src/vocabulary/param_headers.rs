//! Arguments of tools that travel in HTTP headers as well (SEP-2243, `x-mcp-header`).

use std::collections::HashSet;

use memchr::memmem;
use serde_json::{Map, Value};

use crate::RawJson;

const ANNOTATION: &str = "x-mcp-header";

/// Deepest nesting of a schema that is looked through.
const MAX_DEPTH: usize = 64;

/// One argument that is sent as the header `Mcp-Param-NAME`, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    path: Vec<String>,
    name: String,
}

impl ParamHeader {
    /// The arguments that an input schema wants in headers.
    ///
    /// # Errors
    /// What is wrong with an annotation: it must be a token of its own (RFC 9110, section 5.6.2) on a string,
    /// integer or boolean that is reached from the root by `properties` alone.
    pub fn of_schema(schema: &RawJson) -> Result<Vec<Self>, String> {
        // By far the most schemas have none, and need not be parsed.
        let has = |needle: &[u8]| memmem::find(schema.as_bytes(), needle).is_some();
        if !has(ANNOTATION.as_bytes()) && !has(b"\\u") {
            return Ok(Vec::new());
        }
        let Ok(schema) = schema.read::<Map<String, Value>>() else { return Ok(Vec::new()) };
        if schema.contains_key(ANNOTATION) {
            return Err(format!("`{ANNOTATION}` stands at the root of the schema"));
        }
        let mut found = Vec::new();
        collect(&schema, &mut Vec::new(), &mut found)?;
        let mut names = HashSet::new();
        match found.iter().find(|header: &&Self| !names.insert(header.name.to_ascii_lowercase())) {
            Some(twice) => Err(format!("`{ANNOTATION}` says {:?} twice", twice.name)),
            None => Ok(found),
        }
    }

    /// The part of the header's name after `Mcp-Param-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the header says for these arguments, not yet encoded; `None` where the argument is absent or null.
    pub fn value(&self, arguments: &Value) -> Option<String> {
        let value = self.path.iter().try_fold(arguments, |value, name| value.get(name))?;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// Looks through one object schema that is reached by `properties` alone.
fn collect(schema: &Map<String, Value>, path: &mut Vec<String>, found: &mut Vec<ParamHeader>) -> Result<(), String> {
    if path.len() > MAX_DEPTH {
        return Err("the schema is nested too deeply".to_owned());
    }
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    path.push(name.clone());
                    if let Value::Object(property) = property {
                        if let Some(annotation) = property.get(ANNOTATION) {
                            found.push(annotated(path, property, annotation)?);
                        }
                        collect(property, path, found)?;
                    }
                    path.pop();
                }
            }
            // Data, not schemas.
            ("default" | "const" | "enum" | "examples" | ANNOTATION, _) => {}
            (_, value) if mentions(value, 0) => {
                return Err(format!("`{ANNOTATION}` stands under `{key}`, where no argument is sure to be"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn annotated(path: &[String], property: &Map<String, Value>, annotation: &Value) -> Result<ParamHeader, String> {
    let what = || format!("`{ANNOTATION}` of `{}`", path.join("."));
    let name = annotation.as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| format!("{} is empty or no text", what()))?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.bytes().all(is_token) {
        return Err(format!("{} is no token that a header's name can have", what()));
    }
    match property.get("type").and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => Ok(ParamHeader { path: path.to_vec(), name: name.to_owned() }),
        _ => Err(format!("{} stands on something else than a string, integer or boolean", what())),
    }
}

/// Whether an annotation stands anywhere in a value.
fn mentions(value: &Value, depth: usize) -> bool {
    depth > MAX_DEPTH
        || match value {
            Value::Object(members) => {
                members.iter().any(|(key, value)| key == ANNOTATION || mentions(value, depth + 1))
            }
            Value::Array(items) => items.iter().any(|item| mentions(item, depth + 1)),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &str) -> Result<Vec<ParamHeader>, String> {
        let schema = format!(r#"{{"type":"object","properties":{properties}}}"#);
        ParamHeader::of_schema(&RawJson::parse(schema).expect("JSON"))
    }

    #[test]
    fn annotated_arguments_are_found_and_read() {
        let found = read(
            r#"{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"object","properties":{
                "c":{"type":"integer","x-mcp-header":"Count"}}},"d":{"type":"boolean","x-mcp-header":"Flag"},"e":{"type":"string"}}"#,
        )
        .expect("valid");
        let arguments = serde_json::json!({"a": "", "b": {"c": -7}, "d": null, "e": "x"});
        let read: Vec<_> = found.iter().map(|header| (header.name(), header.value(&arguments))).collect();
        assert_eq!(read, [("Region", Some(String::new())), ("Count", Some("-7".to_owned())), ("Flag", None)]);
        assert_eq!(read_one(r#"{"type":"string"}"#), Ok(0));
    }

    fn read_one(property: &str) -> Result<usize, String> {
        read(&format!(r#"{{"p":{property}}}"#)).map(|found| found.len())
    }

    #[test]
    fn what_can_be_no_header_is_refused() {
        for property in [
            r#"{"type":"string","x-mcp-header":""}"#,
            r#"{"type":"string","x-mcp-header":7}"#,
            r#"{"type":"string","x-mcp-header":"a b"}"#,
            r#"{"type":"string","x-mcp-header":"a:b"}"#,
            r#"{"type":"number","x-mcp-header":"N"}"#,
            r#"{"type":"object","x-mcp-header":"N"}"#,
            r#"{"x-mcp-header":"N"}"#,
            r#"{"type":"array","items":{"type":"string","x-mcp-header":"N"}}"#,
        ] {
            assert!(read_one(property).is_err(), "{property}");
        }
        let twice = r#"{"a":{"type":"string","x-mcp-header":"N"},"b":{"type":"string","x-mcp-header":"n"}}"#;
        assert!(read(twice).is_err());
        assert_eq!(read_one(r#"{"type":"string","default":{"x-mcp-header":""}}"#), Ok(0));
    }
}
