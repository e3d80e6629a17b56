//! The texts of a JSON Schema: names and descriptions of parameters, and the values they may take.
//!
//! One pass over the raw text, without building a tree. Whatever stands in a place where another kind of value
//! belongs is passed over, as is what lies too deep. Servers send schemas of every shape, some of them hostile.

use std::fmt;

use gateway_core::RawJson;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Field;

/// How deep properties may be nested. Each level is at most two calls on the stack.
const MAX_DEPTH: usize = 12;

/// How many texts of one schema are read.
const MAX_TEXTS: usize = 1_000;

/// Hands each text of `schema` to `emit`.
pub(crate) fn each_text(schema: &RawJson, emit: &mut dyn FnMut(Field, &str)) {
    let mut left = MAX_TEXTS;
    let mut emit = |field, text: &str| {
        if left > 0 {
            left -= 1;
            emit(field, text);
        }
    };
    let walk = Walk { inside: Inside::Parameters, depth: 0, emit: &mut emit };
    // Text that serde_json refuses to read, such as half a surrogate pair, ends the walk: what came before counts.
    let _: Result<(), _> = walk.deserialize(&mut serde_json::Deserializer::from_slice(schema.as_bytes()));
}

/// What a value is, told by where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// The schema of all parameters: its own title and description say nothing of a parameter.
    Parameters,
    /// A schema, or a list of schemas.
    Schema,
    /// Schemas by the names of the properties that they describe.
    Properties,
    /// Schemas by names that no caller writes.
    Definitions,
    /// A text, or a list of texts.
    Text,
}

struct Walk<'a> {
    inside: Inside,
    depth: usize,
    emit: &'a mut dyn FnMut(Field, &str),
}

impl Walk<'_> {
    /// What stands under `key`; none where it is of no interest.
    fn under(&self, key: &str) -> Option<Inside> {
        let schema = match self.inside {
            Inside::Properties | Inside::Definitions => return Some(Inside::Schema),
            Inside::Text => return None,
            Inside::Parameters => false,
            Inside::Schema => true,
        };
        match key {
            "properties" | "patternProperties" => Some(Inside::Properties),
            "$defs" | "definitions" => Some(Inside::Definitions),
            "allOf" | "anyOf" | "oneOf" if !schema => Some(Inside::Parameters),
            "items" | "prefixItems" | "additionalProperties" | "allOf" | "anyOf" | "oneOf" => Some(Inside::Schema),
            "description" | "title" | "enum" | "const" if schema => Some(Inside::Text),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.inside == Inside::Properties {
                (self.emit)(Field::ParameterName, &key);
            }
            match self.under(&key).filter(|_| self.depth < MAX_DEPTH) {
                Some(inside) => map.next_value_seed(Walk { inside, depth: self.depth + 1, emit: &mut *self.emit })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.depth >= MAX_DEPTH {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while list
            .next_element_seed(Walk { inside: self.inside, depth: self.depth + 1, emit: &mut *self.emit })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.inside == Inside::Text {
            (self.emit)(Field::ParameterText, text);
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
