//! The texts of a JSON Schema: names and descriptions of parameters, and the values they may take.
//!
//! One pass over the raw text, without building a tree. Whatever stands in a place where another kind of value
//! belongs is passed over, as is what lies too deep. Servers send schemas of every shape, some of them hostile.

use std::borrow::Cow;
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
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, expected: &[&str]) {
        let raw = RawJson::parse(schema.to_owned()).expect("valid");
        let mut found = Vec::new();
        each_text(&raw, &mut |field, text| {
            let mark = if field == Field::ParameterName { "." } else { "" };
            found.push(format!("{mark}{text}"));
        });
        assert_eq!(found, expected, "{schema}");
    }

    #[test]
    fn reads_names_and_descriptions_at_every_depth() {
        check("{}", &[]);
        check(
            r#"{"type":"object","title":"Arguments","description":"not a parameter",
                "properties":{"path":{"type":"string","description":"Where"},"title":{"title":"Heading"}}}"#,
            &[".path", "Where", ".title", "Heading"],
        );
        check(
            r#"{"properties":{"items":{"type":"array","items":{"properties":{"sku":{"enum":["a","b",1,null]}}}}}}"#,
            &[".items", ".sku", "a", "b"],
        );
        check(
            r##"{"properties":{"at":{"$ref":"#/$defs/Place"}},"$defs":{"Place":{"properties":{"city":{}}}}}"##,
            &[".at", ".city"],
        );
        check(r#"{"oneOf":[{"title":"not a parameter","properties":{"a":{"anyOf":[{"const":"x"}]}}}]}"#, &[".a", "x"]);
    }

    #[test]
    fn passes_over_what_is_no_schema() {
        check(r#"{"properties":null,"items":7,"$defs":"x","oneOf":{"a":1}}"#, &[]);
        check(
            r#"{"properties":{"a":true,"b":null,"c":[1,"x"],"d":{"description":5,"enum":"z"}}}"#,
            &[".a", ".b", ".c", ".d", "z"],
        );
        check(r#"{"properties":{"a":{"description":{"description":"x"}}}}"#, &[".a"]);
        check(r#"{"properties":{"a":{},"a":{}}}"#, &[".a", ".a"]);
        check(r#"{"properties":{"a":{},"b":{"description":"\ud800"},"c":{}}}"#, &[".a", ".b"]);
        check(r#"{"properties":{"big":{"const":1e999}}}"#, &[".big"]);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{}1{}", r#"{"properties":{"p":"#.repeat(20_000), "}}".repeat(20_000));
        let lists = format!(r#"{{"properties":{{"p":{{"anyOf":{}{}}}}}}}"#, "[".repeat(50_000), "]".repeat(50_000));
        let many: Vec<String> = (0..50_000).map(|place| format!(r#""p{place}":{{}}"#)).collect();
        let wide = format!(r#"{{"properties":{{{}}}}}"#, many.join(","));
        for (schema, most) in [(deep, MAX_DEPTH), (lists, 1), (wide, MAX_TEXTS)] {
            let mut count = 0;
            each_text(&RawJson::parse(schema).expect("valid"), &mut |_, _| count += 1);
            assert!((1..=most).contains(&count), "{count} of at most {most}");
        }
    }
}
