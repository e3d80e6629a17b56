//! From a form that was filled in to the arguments of a call.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::schema::{Choice, Field, FieldKind, Scalar, is_number};

/// What was filled in, by the pointers of fields.
pub(crate) type Filled = BTreeMap<String, Entry>;

/// What one field says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    One(String),
    Many(Vec<String>),
}

/// A field that cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Which field.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

/// The arguments, JSON text of an object. Fields that were left empty are left out.
///
/// # Errors
/// Every field that is missing or is not what it should be.
pub(crate) fn arguments(fields: &[Field], filled: &Filled) -> Result<String, Vec<Mistake>> {
    let mut writer = Writer { filled, mistakes: Vec::new() };
    let text = writer.object(fields, true).unwrap_or_else(|| "{}".to_owned());
    if writer.mistakes.is_empty() { Ok(text) } else { Err(writer.mistakes) }
}

struct Writer<'a> {
    filled: &'a Filled,
    mistakes: Vec<Mistake>,
}

impl Writer<'_> {
    /// The members that were filled in; `None` where that is none and the object may be missing.
    fn object(&mut self, fields: &[Field], required: bool) -> Option<String> {
        if !required && !fields.iter().any(|field| self.is_filled(field)) {
            return None;
        }
        let mut members = Vec::new();
        for field in fields {
            if let Some(value) = self.value(field) {
                let key = serde_json::Value::from(field.name.as_str());
                members.push(format!("{key}:{value}"));
            }
        }
        Some(format!("{{{}}}", members.join(",")))
    }

    fn is_filled(&self, field: &Field) -> bool {
        match &field.kind {
            FieldKind::Group(members) => members.iter().any(|member| self.is_filled(member)),
            _ => match self.filled.get(&field.pointer) {
                Some(Entry::One(text)) => !text.is_empty(),
                Some(Entry::Many(texts)) => !texts.is_empty(),
                None => false,
            },
        }
    }

    fn value(&mut self, field: &Field) -> Option<String> {
        if let FieldKind::Group(members) = &field.kind {
            return self.object(members, field.required);
        }
        if !self.is_filled(field) {
            match field.kind {
                // Nothing chosen is an empty list.
                FieldKind::Choices(_) | FieldKind::List(_) if field.required => return Some("[]".to_owned()),
                _ if field.required => self.mistake(field, "is required"),
                _ => {}
            }
            return None;
        }
        let value = match &field.kind {
            FieldKind::Choice(choices) => chosen(choices, self.text(field)),
            FieldKind::Choices(choices) => {
                let values: Result<Vec<_>, _> = self.texts(field).map(|place| chosen(choices, place)).collect();
                values.map(|values| format!("[{}]", values.join(",")))
            }
            FieldKind::List(scalar) => {
                let lines = self.text(field).lines().map(str::trim).filter(|line| !line.is_empty());
                let values: Result<Vec<_>, _> = lines.map(|line| scalar_of(scalar, line)).collect();
                values.map(|values| format!("[{}]", values.join(",")))
            }
            FieldKind::Scalar(scalar) => scalar_of(scalar, self.text(field)),
            FieldKind::Json | FieldKind::Group(_) => json_of(self.text(field)),
        };
        value.map_err(|message| self.mistake(field, &message)).ok()
    }

    fn text(&self, field: &Field) -> &str {
        self.texts(field).next().unwrap_or_default()
    }

    fn texts(&self, field: &Field) -> impl Iterator<Item = &str> {
        let texts = match self.filled.get(&field.pointer) {
            Some(Entry::One(text)) => std::slice::from_ref(text),
            Some(Entry::Many(texts)) => texts,
            None => &[],
        };
        texts.iter().map(String::as_str)
    }

    fn mistake(&mut self, field: &Field, message: &str) {
        self.mistakes.push(Mistake { pointer: field.pointer.clone(), message: message.to_owned() });
    }
}

/// A choice is named by its place, so that a value of any kind survives.
fn chosen(choices: &[Choice], place: &str) -> Result<String, String> {
    let choice = place.parse().ok().and_then(|place: usize| choices.get(place));
    choice.map(|choice| choice.value.clone()).ok_or_else(|| "is none of the choices".to_owned())
}

fn scalar_of(scalar: &Scalar, text: &str) -> Result<String, String> {
    let number = text.trim();
    match scalar {
        Scalar::Text(_) => Ok(serde_json::Value::from(text).to_string()),
        Scalar::Number { integer: true, .. } if number.contains(['.', 'e', 'E']) || !is_number(number) => {
            Err(format!("must be a whole number, and is `{}`", excerpt(number)))
        }
        Scalar::Number { .. } if !is_number(number) => Err(format!("must be a number, and is `{}`", excerpt(number))),
        // Typed numbers keep their spelling.
        Scalar::Number { .. } => Ok(number.to_owned()),
        Scalar::Boolean if matches!(text, "true" | "false") => Ok(text.to_owned()),
        Scalar::Boolean => Err("must be true or false".to_owned()),
    }
}

fn json_of(text: &str) -> Result<String, String> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => Ok(raw.get().to_owned()),
        Err(error) => Err(format!("is not valid JSON: {error}")),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::fields_of;

    const SCHEMA: &str = r#"{"required":["s","g"],"properties":{
        "s":{"type":"string"},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},
        "e":{"enum":["a",1,null]},"m":{"type":"array","items":{"enum":["x","y"]}},
        "l":{"type":"array","items":{"type":"integer"}},"j":{},
        "g":{"properties":{"k":{"type":"string"}}},
        "o":{"properties":{"p":{"type":"string"},"q":{"type":"string"}},"required":["p"]}}}"#;

    fn filled(text: &str) -> Filled {
        serde_json::from_str(text).expect("what the page sends")
    }

    #[test]
    fn values_have_the_types_of_the_schema() {
        let fields = fields_of(SCHEMA).expect("a form");
        let check = |entries: &str, expected: &str| {
            assert_eq!(arguments(&fields, &filled(entries)).as_deref(), Ok(expected), "{entries}");
        };
        check(r#"{"/s":"a\"b"}"#, r#"{"s":"a\"b","g":{}}"#);
        check(
            r#"{"/s":" x ","/i":" 7 ","/n":"1.50e3","/b":"false","/j":" [1.0] "}"#,
            r#"{"s":" x ","i":7,"n":1.50e3,"b":false,"j":[1.0],"g":{}}"#,
        );
        check(
            r#"{"/s":"x","/e":"2","/m":["1","0"],"/l":"1\n\n -2 \n"}"#,
            r#"{"s":"x","e":null,"m":["y","x"],"l":[1,-2],"g":{}}"#,
        );
        check(r#"{"/s":"x","/i":"","/e":"","/m":[],"/l":"","/j":"","/unknown":"x"}"#, r#"{"s":"x","g":{}}"#);
        check(
            r#"{"/s":"x","/i":"12345678901234567890123","/g/k":"v","/o/p":"1"}"#,
            r#"{"s":"x","i":12345678901234567890123,"g":{"k":"v"},"o":{"p":"1"}}"#,
        );
    }

    #[test]
    fn every_mistake_is_told() {
        let fields = fields_of(SCHEMA).expect("a form");
        let check = |entries: &str, expected: &[&str]| {
            let mistakes = arguments(&fields, &filled(entries)).expect_err("mistakes");
            let shown: Vec<_> = mistakes.iter().map(|one| format!("{} {}", one.pointer, one.message)).collect();
            assert_eq!(shown, expected, "{entries}");
        };
        check("{}", &["/s is required"]);
        check(
            r#"{"/i":"1.5","/n":"x"}"#,
            &["/s is required", "/i must be a whole number, and is `1.5`", "/n must be a number, and is `x`"],
        );
        check(
            r#"{"/s":"x","/b":"1","/e":"3","/m":["x"],"/l":"1\nx"}"#,
            &[
                "/b must be true or false",
                "/e is none of the choices",
                "/m is none of the choices",
                "/l must be a whole number, and is `x`",
            ],
        );
        check(r#"{"/s":"x","/o/q":"1"}"#, &["/o/p is required"]);
        check(r#"{"/s":"x","/j":"{}} "}"#, &["/j is not valid JSON: trailing characters at line 1 column 3"]);
    }
}
