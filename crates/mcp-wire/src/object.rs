//! Reading and changing single members of a raw JSON object; all others stay byte for byte.

use std::ops::Range;

use gateway_core::RawJson;
use memchr::memmem;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::write::write_string;

/// The members of a raw object, in their order.
#[derive(Debug)]
pub struct Object<'a> {
    text: &'a str,
    members: Vec<Member>,
}

impl<'a> Object<'a> {
    /// The members of `raw`; none where it is no object.
    pub fn of(raw: &'a RawJson) -> Self {
        let text = raw.as_str();
        Self { text, members: if raw.is_object() { members(text) } else { Vec::new() } }
    }

    /// The text of a member's value. Of repeated names the last one counts.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.members.iter().rfind(|member| member.name == name).map(|member| &self.text[member.value.clone()])
    }

    /// The member's value where it is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Name and text of each member.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|member| (member.name.as_str(), &self.text[member.value.clone()]))
    }
}

/// `object` with the member `name` set to `value`, which is JSON text: in its place where it was there, else
/// as the first one.
pub fn with_member(object: &RawJson, name: &str, value: &str) -> RawJson {
    let text = object.as_str();
    if !object.is_object() {
        return object.clone();
    }
    let found = if may_have(text, name) { members(text) } else { Vec::new() };
    let mut same = found.iter().filter(|member| member.name == name);
    let mut out = Vec::with_capacity(text.len() + name.len() + value.len() + 8);
    match (same.next(), same.next()) {
        (Some(only), None) => {
            out.extend_from_slice(&text.as_bytes()[..only.value.start]);
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(&text.as_bytes()[only.value.end..]);
        }
        (None, _) => {
            out.push(b'{');
            write_member(&mut out, name, value);
            let rest = &text[1..];
            if !rest.trim_start().starts_with('}') {
                out.push(b',');
            }
            out.extend_from_slice(rest.as_bytes());
        }
        (Some(_), Some(_)) => {
            out.push(b'{');
            write_member(&mut out, name, value);
            for member in found.iter().filter(|member| member.name != name) {
                out.push(b',');
                member.write(&mut out, text);
            }
            out.push(b'}');
        }
    }
    written(out)
}

/// `object` without the members of these names.
pub fn without_members(object: &RawJson, names: &[&str]) -> RawJson {
    let text = object.as_str();
    if !object.is_object() || !names.iter().any(|name| may_have(text, name)) {
        return object.clone();
    }
    let found = members(text);
    if !found.iter().any(|member| names.contains(&member.name.as_str())) {
        return object.clone();
    }
    let mut out = Vec::with_capacity(text.len());
    out.push(b'{');
    for member in found.iter().filter(|member| !names.contains(&member.name.as_str())) {
        if out.len() > 1 {
            out.push(b',');
        }
        member.write(&mut out, text);
    }
    out.push(b'}');
    written(out)
}

fn written(text: Vec<u8>) -> RawJson {
    RawJson::parse(text).expect("parts that are JSON make JSON")
}

fn write_member(out: &mut Vec<u8>, name: &str, value: &str) {
    write_string(out, name);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

/// Whether a member of this name could be in the object. A hit may lie deeper inside or in a text, so it needs
/// a closer look; so does any `\u` escape, which could spell the name.
pub(crate) fn may_have(text: &str, name: &str) -> bool {
    memmem::find(text.as_bytes(), name.as_bytes()).is_some() || memmem::find(text.as_bytes(), b"\\u").is_some()
}

/// One member of an object: its name, decoded, and where its value stands in the text.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) value: Range<usize>,
}

impl Member {
    pub(crate) fn write(&self, out: &mut Vec<u8>, text: &str) {
        write_member(out, &self.name, &text[self.value.clone()]);
    }
}

/// The members of the object `text`, which is valid JSON.
pub(crate) fn members(text: &str) -> Vec<Member> {
    struct Shallow<'t>(&'t str);
    impl<'de> Visitor<'de> for Shallow<'de> {
        type Value = Vec<Member>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(name) = map.next_key::<String>()? {
                let value = map.next_value::<&RawValue>()?.get();
                let start = value.as_ptr() as usize - self.0.as_ptr() as usize;
                found.push(Member { name, value: start..start + value.len() });
            }
            Ok(found)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Shallow(text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    #[test]
    fn members_are_read() {
        let object = raw(r#"{"a": 1.50, "\u0062":"x", "a":{"a":2}}"#);
        let object = Object::of(&object);
        assert_eq!(
            (object.get("a"), object.text("b").as_deref(), object.get("c")),
            (Some(r#"{"a":2}"#), Some("x"), None)
        );
        assert_eq!(object.iter().count(), 3);
        assert_eq!(Object::of(&raw("[1]")).iter().count(), 0);
    }

    #[test]
    fn one_member_is_set_and_the_rest_is_kept() {
        let check = |input: &str, expected: &str| {
            assert_eq!(with_member(&raw(input), "n", "7").as_str(), expected, "{input}");
        };
        check("{}", r#"{"n":7}"#);
        check(r#"{ "a":1.0}"#, r#"{"n":7, "a":1.0}"#);
        check(r#"{"a":1.0 , "n" : "x" , "b":{"n":1}}"#, r#"{"a":1.0 , "n" : 7 , "b":{"n":1}}"#);
        check(r#"{"b":{"n":1}}"#, r#"{"n":7,"b":{"n":1}}"#);
        check(r#"{"\u006e":1}"#, r#"{"\u006e":7}"#);
        check(r#"{"n":1,"a":2.0,"n":3}"#, r#"{"n":7,"a":2.0}"#);
        check("[1]", "[1]");
    }

    #[test]
    fn members_are_left_out() {
        let check = |input: &str, expected: &str| {
            assert_eq!(without_members(&raw(input), &["n", "m"]).as_str(), expected, "{input}");
        };
        check("{}", "{}");
        check(r#"{ "a" : 1.0 }"#, r#"{ "a" : 1.0 }"#);
        check(r#"{"n":1, "a" : 1.0,"m":{}}"#, r#"{"a":1.0}"#);
        check(r#"{"a":{"n":1}}"#, r#"{"a":{"n":1}}"#);
        check(r#"{"\u006e":1}"#, "{}");
    }
}
