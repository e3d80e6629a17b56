//! From a tool's input schema to the fields of a form.
//!
//! A form has a field for what people can type: texts, numbers, yes and no, choices, lists of those, objects that are
//! not deep. Everything else is a field for JSON, so that no argument is out of reach. What a schema demands beyond types
//! is left to the tool's server, which knows best.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Longest schema that becomes a form, in bytes, and most fields of one. A larger one is filled in as JSON.
const MAX_SCHEMA: usize = 256 * 1024;
const MAX_FIELDS: usize = 200;

/// Deepest object with fields of its own.
const MAX_DEPTH: usize = 3;

/// Most references that are followed for one field.
const MAX_HOPS: usize = 8;

/// One argument, or a member of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Where its value belongs, as a JSON pointer: `/address/city`.
    pub(crate) pointer: String,
    /// Its key.
    pub(crate) name: String,
    /// Its title, where it has one of its own.
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) required: bool,
    /// JSON text of the value that it has when it is left out.
    pub(crate) default: Option<String>,
    pub(crate) kind: FieldKind,
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldKind {
    Scalar(Scalar),
    /// One of some values.
    Choice(Vec<Choice>),
    /// Several of some values.
    Choices(Vec<Choice>),
    /// A list, one a line.
    List(Scalar),
    Group(Vec<Field>),
    Json,
}

/// A value that is typed in one go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Text(TextForm),
    Number { integer: bool, min: Option<String>, max: Option<String> },
    Boolean,
}

/// How a text is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextForm {
    Line,
    Lines,
    Date,
    Secret,
}

/// One value of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// JSON text.
    pub(crate) value: String,
    pub(crate) label: String,
}

/// The fields of a schema; `None` where it is no object or too large for a form.
pub(crate) fn fields_of(schema: &str) -> Option<Vec<Field>> {
    if schema.len() > MAX_SCHEMA {
        return None;
    }
    let mut reader = Reader { root: Node::parse(schema)?, fields: 0 };
    let root = reader.resolve(reader.root.clone());
    let fields = reader.members(&root, "", 0);
    (reader.fields <= MAX_FIELDS).then_some(fields)
}

struct Reader<'a> {
    root: Node<'a>,
    /// How many fields there are so far.
    fields: usize,
}

impl<'a> Reader<'a> {
    fn members(&mut self, node: &Node<'a>, pointer: &str, depth: usize) -> Vec<Field> {
        let Some(properties) = node.node("properties") else { return Vec::new() };
        let required: Vec<String> = node.read("required").unwrap_or_default();
        let mut fields = Vec::new();
        for (name, raw) in &properties.0 {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                break;
            }
            // `true` is a schema, too: it takes anything.
            let declared = Node::parse(raw.get()).unwrap_or_default();
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            fields.push(self.field(name, &declared, pointer, required.contains(name), depth));
        }
        fields
    }

    fn field(&mut self, name: &str, declared: &Node<'a>, pointer: String, required: bool, depth: usize) -> Field {
        let node = self.resolve(declared.clone());
        let text = |key: &str| declared.read::<String>(key).or_else(|| node.read(key));
        let description = text("description").unwrap_or_default();
        let title = text("title").filter(|title| !is_same_name(title, name));
        let default = declared.get("default").or_else(|| node.get("default")).map(|raw| raw.get().to_owned());
        let kind = self.kind(&node, name, &pointer, depth);
        Field { pointer, name: name.to_owned(), title, description, required, default, kind }
    }

    fn kind(&mut self, node: &Node<'a>, name: &str, pointer: &str, depth: usize) -> FieldKind {
        if let Some(choices) = choices(node) {
            return FieldKind::Choice(choices);
        }
        match node.kind().as_deref() {
            Some("array") => self.list(node, name),
            Some("object") if depth + 1 < MAX_DEPTH && node.get("properties").is_some() => {
                FieldKind::Group(self.members(node, pointer, depth + 1))
            }
            _ => scalar(node, name).map_or(FieldKind::Json, FieldKind::Scalar),
        }
    }

    fn list(&self, node: &Node<'a>, name: &str) -> FieldKind {
        let Some(items) = node.node("items").map(|items| self.resolve(items)) else { return FieldKind::Json };
        match (choices(&items), scalar(&items, name)) {
            (Some(choices), _) => FieldKind::Choices(choices),
            // A list of yes and no, one a line, is nothing that anybody types.
            (None, Some(scalar)) if scalar != Scalar::Boolean => FieldKind::List(scalar),
            _ => FieldKind::Json,
        }
    }

    /// Follows references into the schema itself, and takes off what generators put round optional values.
    fn resolve(&self, mut node: Node<'a>) -> Node<'a> {
        for _ in 0..MAX_HOPS {
            let target = node.read::<String>("$ref").filter(|_| node.get("properties").is_none());
            let next = match target {
                Some(target) => self.find(&target),
                None => node.only_alternative(),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    fn find(&self, reference: &str) -> Option<Node<'a>> {
        let mut steps = reference.strip_prefix("#/")?.split('/');
        steps.try_fold(self.root.clone(), |node, step| node.node(&step.replace("~1", "/").replace("~0", "~")))
    }
}

fn scalar(node: &Node<'_>, name: &str) -> Option<Scalar> {
    let number = |key: &str| node.get(key).map(|raw| raw.get().to_owned()).filter(|text| is_number(text));
    match node.kind()?.as_str() {
        "string" => Some(Scalar::Text(text_form(node, name))),
        kind @ ("integer" | "number") => {
            Some(Scalar::Number { integer: kind == "integer", min: number("minimum"), max: number("maximum") })
        }
        "boolean" => Some(Scalar::Boolean),
        _ => None,
    }
}

fn text_form(node: &Node<'_>, name: &str) -> TextForm {
    const LONG: [&str; 14] = [
        "body", "code", "comment", "content", "contents", "css", "html", "markdown", "message", "prompt", "script",
        "sql", "text", "xml",
    ];
    let format: Option<String> = node.read("format");
    let longest: Option<u64> = node.read("maxLength");
    match format.as_deref() {
        Some("date") => TextForm::Date,
        Some("password") => TextForm::Secret,
        Some(_) => TextForm::Line,
        None if longest.is_some_and(|longest| longest <= 200) => TextForm::Line,
        None if LONG.contains(&name.to_ascii_lowercase().as_str()) => TextForm::Lines,
        None => TextForm::Line,
    }
}

/// The values of an enumeration, however it is written.
fn choices(node: &Node<'_>) -> Option<Vec<Choice>> {
    if let Some(values) = node.get("enum").and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()).ok()) {
        let labels: Vec<String> = node.read("enumNames").unwrap_or_default();
        let choice = |(place, value): (usize, &&RawValue)| Choice {
            label: labels.get(place).cloned().unwrap_or_else(|| label(value.get())),
            value: value.get().to_owned(),
        };
        return Some(values.iter().enumerate().map(choice).collect());
    }
    if let Some(value) = node.get("const") {
        return Some(vec![Choice { label: label(value.get()), value: value.get().to_owned() }]);
    }
    let alternatives = node.list("oneOf").or_else(|| node.list("anyOf"))?;
    let choice = |alternative: &Node<'_>| {
        let value = alternative.get("const")?.get();
        let label = alternative.read("title").unwrap_or_else(|| label(value));
        Some(Choice { label, value: value.to_owned() })
    };
    alternatives.iter().map(choice).collect()
}

/// A value as people read it: a text without its quotes.
fn label(json: &str) -> String {
    serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned())
}

/// Whether a text is a JSON number.
pub(crate) fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// `max_results` and `Max Results` are one name: generators make titles of names.
fn is_same_name(title: &str, name: &str) -> bool {
    let letters =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    letters(title) == letters(name)
}

/// A schema that is an object: its members in their order, unread.
#[derive(Clone, Debug, Default)]
struct Node<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Node<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, raw)| *raw)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    fn node(&self, key: &str) -> Option<Self> {
        Self::parse(self.get(key)?.get())
    }

    fn list(&self, key: &str) -> Option<Vec<Self>> {
        serde_json::from_str(self.get(key)?.get()).ok()
    }

    /// Its type, where it has one besides `null`.
    fn kind(&self) -> Option<String> {
        let types = match self.read("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let mut types = types.into_iter().filter(|kind| kind != "null");
        match (types.next(), types.next()) {
            (Some(only), None) => Some(only),
            (None, _) if self.get("properties").is_some() => Some("object".to_owned()),
            _ => None,
        }
    }

    /// What is left where all alternatives but one are `null`. Alternatives beside a type of its own say more about that one.
    fn only_alternative(&self) -> Option<Self> {
        if ["type", "properties", "enum", "const"].iter().any(|key| self.get(key).is_some()) {
            return None;
        }
        let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| self.list(key))?;
        let is_null = |node: &Self| node.read::<String>("type").as_deref() == Some("null");
        let mut alternatives = alternatives.into_iter().filter(|node| !is_null(node));
        match (alternatives.next(), alternatives.next()) {
            (Some(only), None) if only.get("const").is_none() => Some(only),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Node<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(fields: &[Field]) -> String {
        let kind = |field: &Field| match &field.kind {
            FieldKind::Scalar(Scalar::Text(form)) => format!("{form:?}"),
            FieldKind::Scalar(Scalar::Number { integer, min, max }) => {
                format!(
                    "{}[{}..{}]",
                    if *integer { "int" } else { "num" },
                    min.as_deref().unwrap_or(""),
                    max.as_deref().unwrap_or("")
                )
            }
            FieldKind::Scalar(Scalar::Boolean) => "bool".to_owned(),
            FieldKind::Choice(choices) => format!("one{:?}", choices.iter().map(|c| &c.label).collect::<Vec<_>>()),
            FieldKind::Choices(choices) => format!("some{:?}", choices.iter().map(|c| &c.value).collect::<Vec<_>>()),
            FieldKind::List(_) => "list".to_owned(),
            FieldKind::Group(members) => format!("({})", show(members)),
            FieldKind::Json => "json".to_owned(),
        };
        let shown = fields.iter().map(|field| {
            let default = field.default.as_ref().map_or_else(String::new, |default| format!("={default}"));
            format!("{}{}:{}{default}", field.pointer, if field.required { "!" } else { "" }, kind(field))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(properties: &str, expected: &str) {
        let schema = format!(
            r##"{{"type":"object","properties":{properties},"required":["r"],"$defs":{{"C":{{"enum":["x"]}},"L":{{"$ref":"#/$defs/L"}}}}}}"##
        );
        assert_eq!(show(&fields_of(&schema).expect("a form")), expected, "{properties}");
    }

    #[test]
    fn every_argument_gets_a_field_in_the_schemas_order() {
        check(
            r#"{"r":{"type":"string"},"a":{"type":"integer","minimum":1,"maximum":5,"default":2}}"#,
            "/r!:Line /a:int[1..5]=2",
        );
        check(
            r#"{"n":{"type":"number","minimum":"x"},"b":{"type":"boolean","default":false}}"#,
            "/n:num[..] /b:bool=false",
        );
        check(r#"{"text":{"type":"string"},"d":{"type":"string","format":"date"}}"#, "/text:Lines /d:Date");
        check(r#"{"e":{"enum":["a",1,null]}}"#, r#"/e:one["a", "1", "null"]"#);
        check(r#"{"e":{"oneOf":[{"const":"a","title":"A!"},{"const":2}]}}"#, r#"/e:one["A!", "2"]"#);
        check(
            r#"{"l":{"type":"array","items":{"type":"string"}},"m":{"type":"array","items":{"enum":["a"]}}}"#,
            r#"/l:list /m:some["\"a\""]"#,
        );
        check(
            r#"{"l":{"type":"array","items":{"type":"object"}},"m":{"type":"array"},"n":{"type":"array","items":[]}}"#,
            "/l:json /m:json /n:json",
        );
        check(
            r#"{"o":{"type":"object","properties":{"a/b":{"type":"string"}},"required":["a/b"]}}"#,
            "/o:(/o/a~1b!:Line)",
        );
        check(
            r#"{"o":{"type":"object"},"any":true,"odd":{"type":["string","integer"]}}"#,
            "/o:json /any:json /odd:json",
        );
        check(
            r#"{"m":{"anyOf":[{"type":"integer"},{"type":"null"}],"default":null},"t":{"type":["string","null"]}}"#,
            "/m:int[..]=null /t:Line",
        );
        check(
            r##"{"c":{"$ref":"#/$defs/C"},"l":{"$ref":"#/$defs/L"},"x":{"$ref":"https://x"}}"##,
            r#"/c:one["x"] /l:json /x:json"#,
        );
    }

    #[test]
    fn what_is_no_form_is_filled_in_as_json() {
        assert_eq!(fields_of("[]"), None);
        assert_eq!(fields_of(r#"{"type":"object"}"#), Some(Vec::new()));
        // What is demanded beside the properties takes none of them away.
        let more = r#"{"type":"object","properties":{"a":{"type":"string","anyOf":[{"minLength":1}]}},"anyOf":[{"required":["a"]}]}"#;
        assert_eq!(show(&fields_of(more).expect("a form")), "/a:Line");
        let many: Vec<String> = (0..300).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect();
        assert_eq!(fields_of(&format!(r#"{{"properties":{{{}}}}}"#, many.join(","))), None);
        // Objects in objects in objects: the deepest are JSON.
        let deep = r#"{"properties":{"a":{"properties":{"b":{"properties":{"c":{"properties":{}}}}}}}}"#;
        assert_eq!(show(&fields_of(deep).expect("a form")), "/a:(/a/b:(/a/b/c:json))");
    }
}
