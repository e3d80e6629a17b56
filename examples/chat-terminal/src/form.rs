//! Forms: a person fills in what a JSON Schema describes, field by field.

use serde_json::{Map, Value};

use crate::Terminal;

/// What a person types to give a form up.
const GIVE_UP: &str = "/cancel";

/// Schemas may refer to themselves.
const MAX_DEPTH: usize = 8;

/// Asks for the members of the object that `schema` describes, the required ones first. `None` where the person gave
/// up, or is gone while something is required.
pub async fn fill(terminal: &Terminal, schema: &Value) -> Option<Map<String, Value>> {
    let mut filled = Map::new();
    for field in fields(schema) {
        if let Some(value) = ask(terminal, &field).await.ok()? {
            filled.insert(field.name.to_owned(), value);
        }
    }
    Some(filled)
}

/// The person gave up, or is gone.
struct GaveUp;

/// One member of the object.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    kind: Kind,
    is_required: bool,
}

/// What a person may type.
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    OneOf(Vec<Choice>),
    SomeOf(Vec<Choice>),
    /// Texts with commas between.
    Texts,
    Array,
    Object,
    /// JSON, or a text that is none.
    Any,
}

/// A value that is allowed.
struct Choice {
    value: Value,
    title: String,
}

fn fields(schema: &Value) -> Vec<Field<'_>> {
    let properties = schema["properties"].as_object();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let all = properties.into_iter().flatten().map(|(name, _)| name.as_str());
    let optional: Vec<&str> = all.filter(|name| !required.contains(name)).collect();
    let names = required.iter().map(|name| (*name, true)).chain(optional.iter().map(|name| (*name, false)));
    let field = |(name, is_required)| {
        // A server may require what it does not describe: then this is `null`, which describes nothing.
        let inner = &schema["properties"][name];
        Field { name, schema: inner, kind: Kind::of(schema, inner, 0), is_required }
    };
    names.map(field).collect()
}

async fn ask(terminal: &Terminal, field: &Field<'_>) -> Result<Option<Value>, GaveUp> {
    let description = field.schema["description"].as_str().or(field.schema["title"].as_str()).unwrap_or_default();
    terminal.say(format_args!("  {}: {}", field.name, description.trim()));
    if let Kind::OneOf(choices) | Kind::SomeOf(choices) = &field.kind {
        for (place, choice) in choices.iter().enumerate() {
            terminal.say(format_args!("    {} {}", place + 1, choice.title));
        }
    }
    let default = Some(&field.schema["default"]).filter(|default| !default.is_null());
    let hint = match (default, field.is_required) {
        (Some(default), _) => format!("Enter for {default}"),
        (None, true) => "required".to_owned(),
        (None, false) => "Enter to leave it out".to_owned(),
    };
    loop {
        let answer = terminal.ask(&format!("  {}, {hint}> ", field.kind.name())).await;
        let told = match answer.as_deref().map(str::trim) {
            Some(GIVE_UP) => return Err(GaveUp),
            Some("") | None if default.is_some() => return Ok(default.cloned()),
            Some("") | None if !field.is_required => return Ok(None),
            None => return Err(GaveUp),
            Some("") => Err(format!("it is required; {GIVE_UP} gives up")),
            Some(text) => field.kind.read(text).and_then(|value| check(field.schema, value)),
        };
        match told {
            Ok(value) => return Ok(Some(value)),
            Err(why) => terminal.say(format_args!("    {why}")),
        }
    }
}

impl Kind {
    fn of(root: &Value, schema: &Value, depth: usize) -> Self {
        if depth > MAX_DEPTH {
            return Self::Any;
        }
        let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        if let Some(meant) = pointer.and_then(|pointer| root.pointer(pointer)) {
            return Self::of(root, meant, depth + 1);
        }
        if let Some(choices) = choices(schema) {
            return Self::OneOf(choices);
        }
        // What may be missing is often written as something or `null`.
        let mut alternatives = ["anyOf", "oneOf"].iter().filter_map(|name| schema[*name].as_array()).flatten();
        if let Some(alternative) = alternatives.find(|alternative| alternative["type"] != "null") {
            return Self::of(root, alternative, depth + 1);
        }
        let types = &schema["type"];
        let several = types.as_array().into_iter().flatten().filter_map(Value::as_str);
        match types.as_str().or_else(|| several.into_iter().find(|name| *name != "null")) {
            Some("string") => Self::Text,
            Some("integer") => Self::Integer,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("object") => Self::Object,
            Some("array") => match Self::of(root, &schema["items"], depth + 1) {
                Self::OneOf(choices) => Self::SomeOf(choices),
                Self::Text => Self::Texts,
                _ => Self::Array,
            },
            _ => Self::Any,
        }
    }

    fn refuse(&self, why: &serde_json::Error) -> String {
        format!("this is no {}: {why}", self.name())
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "whole number",
            Self::Number => "number",
            Self::Boolean => "yes or no",
            Self::OneOf(_) => "one of these",
            Self::SomeOf(_) => "some of these, commas between",
            Self::Texts => "texts, commas between",
            Self::Array => "JSON array",
            Self::Object => "JSON object",
            Self::Any => "JSON or text",
        }
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
        match self {
            Self::Text => Ok(text.into()),
            Self::Integer => text.parse::<i64>().map(Value::from).map_err(|_| "this is no whole number".to_owned()),
            Self::Number => {
                let number = serde_json::from_str::<serde_json::Number>(text);
                number.map(Value::Number).map_err(|_| "this is no number".to_owned())
            }
            Self::Boolean => match text.to_lowercase().as_str() {
                "y" | "yes" | "true" => Ok(true.into()),
                "n" | "no" | "false" => Ok(false.into()),
                _ => Err("y or n".to_owned()),
            },
            Self::OneOf(choices) => chosen(choices, text),
            Self::SomeOf(choices) => parts().map(|part| chosen(choices, part)).collect(),
            Self::Texts => Ok(parts().collect()),
            Self::Any => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
            Self::Array => serde_json::from_str::<Vec<Value>>(text).map(Value::from).map_err(|why| self.refuse(&why)),
            Self::Object => serde_json::from_str::<Map<_, _>>(text).map(Value::from).map_err(|why| self.refuse(&why)),
        }
    }
}

/// The values that are allowed, where the schema lists them, and what they are called.
fn choices(schema: &Value) -> Option<Vec<Choice>> {
    let choice = |value: &Value, title: &Value| {
        let title = title.as_str().or(value.as_str()).map_or_else(|| value.to_string(), str::to_owned);
        Choice { value: value.clone(), title }
    };
    if let Some(values) = schema["enum"].as_array() {
        let names = &schema["enumNames"];
        return Some(values.iter().enumerate().map(|(place, value)| choice(value, &names[place])).collect());
    }
    let alternatives = ["oneOf", "anyOf"].iter().find_map(|name| schema[*name].as_array())?;
    alternatives.iter().map(|it| Some(choice(it.get("const")?, &it["title"]))).collect()
}

/// The choice that was typed: its value, what it is called, or its place in the list.
fn chosen(choices: &[Choice], text: &str) -> Result<Value, String> {
    let is_meant = |choice: &&Choice| choice.value == text || choice.title == text;
    let by_place = || text.parse::<usize>().ok().and_then(|place| choices.get(place.checked_sub(1)?));
    let choice = choices.iter().find(is_meant).or_else(by_place);
    choice.map(|choice| choice.value.clone()).ok_or_else(|| format!("{text:?} is none of these"))
}

/// The value, where it is within the schema's bounds.
fn check(schema: &Value, value: Value) -> Result<Value, String> {
    let bound = |name: &str| schema[name].as_f64();
    // A text's length; a list's is for the server to judge.
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let is_outside = |measure: Option<f64>, least: Option<f64>, most: Option<f64>| {
        measure.is_some_and(|it| least.is_some_and(|least| it < least) || most.is_some_and(|most| it > most))
    };
    if is_outside(value.as_f64(), bound("minimum"), bound("maximum")) {
        return Err(format!("it must be {}", range(&schema["minimum"], &schema["maximum"])));
    }
    if is_outside(length, bound("minLength"), bound("maxLength")) {
        return Err(format!("its length must be {}", range(&schema["minLength"], &schema["maxLength"])));
    }
    Ok(value)
}

fn range(least: &Value, most: &Value) -> String {
    match (least.is_null(), most.is_null()) {
        (false, false) => format!("between {least} and {most}"),
        (false, true) => format!("at least {least}"),
        _ => format!("at most {most}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What becomes of a text that is typed for a member with this schema.
    fn check_field(schema: &Value, text: &str, expected: &Result<Value, &str>) {
        let root = json!({ "properties": { "x": schema }, "$defs": { "Unit": { "enum": ["km", "mile"] }, "Loop": { "$ref": "#/$defs/Loop" } } });
        let fields = fields(&root);
        let read = fields[0].kind.read(text).and_then(|value| check(fields[0].schema, value));
        match (&read, expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{schema} {text:?}"),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{schema} {text:?}: {why}"),
            _ => panic!("{schema} {text:?}: {read:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn texts_become_what_the_schema_says() {
        let cases = [
            (json!({ "type": "string" }), "5", Ok(json!("5"))),
            (json!({ "type": "string", "maxLength": 2 }), "äö", Ok(json!("äö"))),
            (json!({ "type": "string", "maxLength": 2 }), "abc", Err("at most 2")),
            (json!({ "type": "integer", "minimum": 1, "maximum": 50 }), "5", Ok(json!(5))),
            (json!({ "type": "integer", "minimum": 1, "maximum": 50 }), "51", Err("between 1 and 50")),
            (json!({ "type": "integer" }), "5.5", Err("no whole number")),
            (json!({ "type": ["number", "null"], "minimum": 0 }), "-1e-3", Err("at least 0")),
            (json!({ "type": ["null", "number"] }), "1.5", Ok(json!(1.5))),
            (json!({ "type": "number" }), "NaN", Err("no number")),
            (json!({ "type": "boolean" }), "Yes", Ok(json!(true))),
            (json!({ "type": "boolean" }), "perhaps", Err("y or n")),
            (json!({ "type": "string", "enum": ["red", "blue"] }), "2", Ok(json!("blue"))),
            (json!({ "type": "string", "enum": ["red", "blue"] }), "red", Ok(json!("red"))),
            (json!({ "type": "string", "enum": ["red", "blue"] }), "0", Err("none of these")),
            (json!({ "enum": ["r", "b"], "enumNames": ["Red", "Blue"] }), "Blue", Ok(json!("b"))),
            (json!({ "enum": [10, 20] }), "2", Ok(json!(20))),
            (json!({ "oneOf": [{ "const": "r", "title": "Red" }] }), "Red", Ok(json!("r"))),
            (json!({ "anyOf": [{ "$ref": "#/$defs/Unit" }, { "type": "null" }] }), "mile", Ok(json!("mile"))),
            (json!({ "$ref": "#/$defs/Unit" }), "parsec", Err("none of these")),
            (json!({ "$ref": "#/$defs/Loop" }), "x", Ok(json!("x"))),
            (json!({ "type": "array", "items": { "type": "string" } }), "a, b,", Ok(json!(["a", "b"]))),
            (json!({ "type": "array", "items": { "enum": ["r", "b"] } }), "2,r", Ok(json!(["b", "r"]))),
            (
                json!({ "type": "array", "items": { "anyOf": [{ "const": "r", "title": "Red" }] } }),
                "1",
                Ok(json!(["r"])),
            ),
            (json!({ "type": "array", "items": { "type": "integer" } }), "[1, 2]", Ok(json!([1, 2]))),
            (json!({ "type": "array", "items": { "type": "integer" } }), "{}", Err("no JSON array")),
            (json!({ "type": "object" }), "{\"a\": 1}", Ok(json!({ "a": 1 }))),
            (json!({ "type": "object" }), "{", Err("no JSON object")),
            (json!({}), "[1]", Ok(json!([1]))),
            (json!({}), "word", Ok(json!("word"))),
        ];
        for (schema, text, expected) in cases {
            check_field(&schema, text, &expected);
        }
    }

    #[test]
    fn required_members_come_first_in_their_order() {
        let schema = json!({ "properties": { "a": {}, "b": {}, "c": {} }, "required": ["c", "b", "undescribed"] });
        let fields = fields(&schema);
        let order: Vec<_> = fields.iter().map(|field| (field.name, field.is_required)).collect();
        assert_eq!(order, [("c", true), ("b", true), ("undescribed", true), ("a", false)]);
    }
}
