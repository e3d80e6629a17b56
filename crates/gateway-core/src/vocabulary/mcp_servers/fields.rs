//! The fields of one entry, read leniently by name and strictly by value.

use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_ITEMS, MAX_VALUE_BYTES, Variables, expand};

/// A JSON object in the order of its text, doubles included.
pub(super) struct Object<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(InOrder).map(Object)
    }
}

/// A text with its variables put in.
pub(super) struct Text {
    /// Where it stands: `args[2]`.
    pub(super) field: String,
    /// As it was typed: the only form that a message may show.
    pub(super) typed: String,
    /// What it means.
    pub(super) value: String,
    /// Whether `value` still has its variables, so that it cannot be checked.
    pub(super) unexpanded: bool,
}

/// The fields of one entry and the mistakes found so far.
pub(super) struct Fields<'a> {
    object: Vec<(String, &'a RawValue)>,
    /// `None`: variables stay as they are typed.
    variables: Option<Variables<'a>>,
    mistakes: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(Object(mut object): Object<'a>, variables: Variables<'a>) -> Self {
        object.retain(|(_, value)| value.get() != "null");
        Self { object, variables: Some(variables), mistakes: Vec::new() }
    }

    /// Leaves variables as they are typed: a server that is switched off needs none of them.
    pub(super) fn keep_variables(&mut self) {
        self.variables = None;
    }

    pub(super) fn mistake(&mut self, message: impl Into<String>) {
        self.mistakes.push(message.into());
    }

    pub(super) fn into_mistakes(self) -> Vec<String> {
        self.mistakes
    }

    /// Whether one of `names` is there, right or wrong.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.object.iter().any(|(name, _)| names.contains(&snake_case(name).as_str()))
    }

    pub(super) fn flag(&mut self, names: &[&str]) -> Option<bool> {
        let (field, value) = self.take(names)?;
        let read = serde_json::from_str(value.get()).ok();
        if read.is_none() {
            self.mistake(format!("{field} must be true or false, not {}", kind_of(value)));
        }
        read
    }

    pub(super) fn number(&mut self, names: &[&str], range: RangeInclusive<u64>, hint: &str) -> Option<u64> {
        let (field, value) = self.take(names)?;
        let read = serde_json::from_str(value.get()).ok().filter(|number| range.contains(number));
        if read.is_none() {
            let (lowest, highest) = (range.start(), range.end());
            let found = match value.get().as_bytes()[0] {
                b'0'..=b'9' | b'-' => cut(value.get()),
                _ => kind_of(value).to_owned(),
            };
            let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
            self.mistake(format!("{field} must be a whole number from {lowest} to {highest}, not {found}{hint}"));
        }
        read
    }

    /// A text that has no variables.
    pub(super) fn plain_text(&mut self, names: &[&str]) -> Option<String> {
        let (field, value) = self.take(names)?;
        let read = serde_json::from_str(value.get()).ok();
        if read.is_none() {
            self.mistake(format!("{field} must be a text, not {}", kind_of(value)));
        }
        read
    }

    pub(super) fn text(&mut self, names: &[&str]) -> Option<Text> {
        let (field, value) = self.take(names)?;
        if !value.get().starts_with('"') {
            self.mistake(format!("{field} must be a text, not {}", kind_of(value)));
            return None;
        }
        self.expanded(field, value)
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<Text> {
        let Some((field, value)) = self.take(&[name]) else { return Vec::new() };
        let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
            self.mistake(format!("{field} must be an array of texts, not {}", kind_of(value)));
            return Vec::new();
        };
        if self.too_many(&field, values.len()) {
            return Vec::new();
        }
        let values = values.into_iter().enumerate();
        values.filter_map(|(index, value)| self.expanded(format!("{field}[{index}]"), value)).collect()
    }

    /// Names with texts, each name once.
    pub(super) fn map(&mut self, name: &str) -> Vec<(String, Text)> {
        let Some((field, value)) = self.take(&[name]) else { return Vec::new() };
        let Ok(Object(values)) = serde_json::from_str::<Object<'_>>(value.get()) else {
            self.mistake(format!("{field} must be an object of texts, not {}", kind_of(value)));
            return Vec::new();
        };
        if self.too_many(&field, values.len()) {
            return Vec::new();
        }
        let mut read: Vec<(String, Text)> = Vec::with_capacity(values.len());
        for (name, value) in values {
            let field = format!("{field}.{}", cut(&name.escape_debug().to_string()));
            if read.iter().any(|(other, _)| *other == name) {
                self.mistake(format!("{field} is there twice; remove one"));
            } else if value.get() != "null"
                && let Some(text) = self.expanded(field, value)
            {
                read.push((name, text));
            }
        }
        read
    }

    /// The value of the one field that has one of `names` (in snake case; camel case is the same name).
    fn take(&mut self, names: &[&str]) -> Option<(String, &'a RawValue)> {
        let mut found = self.object.iter().filter(|(name, _)| {
            let name = snake_case(name);
            names.contains(&name.as_str())
        });
        let (field, value) = found.next()?;
        if let Some((other, _)) = found.next() {
            let message = if field == other {
                format!("{field} is there twice; remove one")
            } else {
                format!("{field} and {other} mean the same; remove one")
            };
            self.mistakes.push(message);
        }
        Some((field.clone(), value))
    }

    /// Numbers and booleans count as their text, since many people write `"PORT": 3000`.
    fn expanded(&mut self, field: String, value: &RawValue) -> Option<Text> {
        let typed = match value.get().as_bytes()[0] {
            b'"' => serde_json::from_str(value.get()).ok(),
            b'0'..=b'9' | b'-' | b't' | b'f' => Some(value.get().to_owned()),
            _ => None,
        };
        let Some(typed) = typed else {
            self.mistake(format!("{field} must be a text, not {}", kind_of(value)));
            return None;
        };
        let problem = if typed.len() > MAX_VALUE_BYTES {
            format!("is longer than {MAX_VALUE_BYTES} bytes")
        } else if typed.contains('\0') {
            "has a NUL character; remove it".to_owned()
        } else {
            let Some(variables) = self.variables else {
                let unexpanded = typed.contains("${");
                return Some(Text { field, value: typed.clone(), typed, unexpanded });
            };
            match expand::expand(&typed, variables) {
                Ok(value) if value.contains('\0') => "has a NUL character with its variables put in".to_owned(),
                Ok(value) => return Some(Text { field, typed, value, unexpanded: false }),
                Err(problem) => problem,
            }
        };
        self.mistake(format!("{field} {problem}"));
        None
    }

    fn too_many(&mut self, field: &str, count: usize) -> bool {
        let too_many = count > MAX_ITEMS;
        if too_many {
            self.mistake(format!("{field} has {count} items; at most {MAX_ITEMS} are taken"));
        }
        too_many
    }
}

/// A text for a message: in quotes, without control characters, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    format!("{:?}", cut(text))
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(80).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

fn kind_of(value: &RawValue) -> &'static str {
    match value.get().as_bytes()[0] {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a text",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
