//! Reading and changing single members of a raw JSON object; all others stay byte for byte.

use std::ops::Range;

use gateway_core::RawJson;
use memchr::memmem;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::write::write_string;

/// The members of a raw object, in their order, each a slice of it.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<(String, RawJson)>,
}

impl Object {
    /// The members of `raw`; none where it is no object.
    pub fn of(raw: &RawJson) -> Self {
        struct Slices<'t>(&'t RawJson);
        impl<'de> Visitor<'de> for Slices<'de> {
            type Value = Vec<(String, RawJson)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value::<&RawValue>()?;
                    found.push((name, RawJson::slice_of(self.0.as_bytes(), value)));
                }
                Ok(found)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(raw.as_str());
        Self { members: deserializer.deserialize_map(Slices(raw)).unwrap_or_default() }
    }

    /// The value of a member. Of repeated names the last one counts.
    pub fn get(&self, name: &str) -> Option<&RawJson> {
        self.members.iter().rfind(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The member's value where it is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.read().ok()
    }

    /// Name and value of each member.
    pub fn into_members(self) -> Vec<(String, RawJson)> {
        self.members
    }

    /// The members, but for those of these names; `None` where none is left.
    pub fn without(&self, names: &[&str]) -> Option<RawJson> {
        let mut out = vec![b'{'];
        for (name, value) in self.members.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
            if out.len() > 1 {
                out.push(b',');
            }
            write_member(&mut out, name, value.as_str());
        }
        out.push(b'}');
        (out.len() > 2).then(|| RawJson::assembled(out))
    }
}

/// `object` with the member `name` set to `value`, which is JSON text: in its place where it was there, else
/// as the first one.
pub fn with_member(object: &RawJson, name: &str, value: &str) -> RawJson {
    if !object.is_object() {
        return object.clone();
    }
    let bytes = object.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + name.len() + value.len() + 8);
    if !may_have(bytes, name) {
        write_first(&mut out, name, value, bytes);
        return RawJson::assembled(out);
    }
    let text = object.as_str();
    let found = members(text);
    let mut same = found.iter().filter(|member| member.name == name);
    match (same.next(), same.next()) {
        (Some(only), None) => {
            out.extend_from_slice(&bytes[..only.value.start]);
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(&bytes[only.value.end..]);
        }
        (None, _) => write_first(&mut out, name, value, bytes),
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
    RawJson::assembled(out)
}

/// Writes an object that does not have the member `name` with it in front.
fn write_first(out: &mut Vec<u8>, name: &str, value: &str, object: &[u8]) {
    out.push(b'{');
    write_member(out, name, value);
    let rest = &object[1..];
    if !rest.trim_ascii_start().starts_with(b"}") {
        out.push(b',');
    }
    out.extend_from_slice(rest);
}

/// `object` without the member `name`.
pub fn without_member(object: &RawJson, name: &str) -> RawJson {
    without_first(object, name).unwrap_or_else(|| without_members(object, &[name]))
}

/// The same where the member is a plain text, stands first and its name nowhere else: most servers write
/// `resultType` so, and the rest of a large result is copied without being read.
fn without_first(object: &RawJson, name: &str) -> Option<RawJson> {
    let bytes = object.as_bytes();
    let after_name = bytes.strip_prefix(b"{\"")?.strip_prefix(name.as_bytes())?.strip_prefix(b"\":\"")?;
    let end = memchr::memchr2(b'"', b'\\', after_name).filter(|&end| after_name[end] == b'"')?;
    let rest = &after_name[end + 1..];
    if may_have(rest, name) {
        return None;
    }
    let rest = match rest.first()? {
        b',' => &rest[1..],
        b'}' => rest,
        _ => return None,
    };
    let mut out = Vec::with_capacity(rest.len() + 1);
    out.push(b'{');
    out.extend_from_slice(rest);
    Some(RawJson::assembled(out))
}

/// `object` without the members of these names.
pub fn without_members(object: &RawJson, names: &[&str]) -> RawJson {
    if !object.is_object() || !names.iter().any(|name| may_have(object.as_bytes(), name)) {
        return object.clone();
    }
    let text = object.as_str();
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
    RawJson::assembled(out)
}

fn write_member(out: &mut Vec<u8>, name: &str, value: &str) {
    write_string(out, name);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

/// Whether a member of this name could be in the object. A hit may lie deeper inside or in a text, so it needs
/// a closer look; so does any `\u` escape, which could spell the name.
pub(crate) fn may_have(text: &[u8], name: &str) -> bool {
    memmem::find(text, name.as_bytes()).is_some() || memmem::find(text, b"\\u").is_some()
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
        let object = Object::of(&raw(r#"{"a": 1.50, "\u0062":"x", "a":{"a":2}}"#));
        let shown = |name| object.get(name).map(RawJson::as_str);
        assert_eq!((shown("a"), object.text("b").as_deref(), shown("c")), (Some(r#"{"a":2}"#), Some("x"), None));
        assert_eq!(object.without(&["a"]), Some(raw(r#"{"b":"x"}"#)));
        assert_eq!(object.without(&["a", "b"]), None);
        assert!(Object::of(&raw("[1]")).get("a").is_none());
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
    fn one_member_is_left_out() {
        let check = |input: &str, expected: &str| {
            assert_eq!(without_member(&raw(input), "n").as_str(), expected, "{input}");
        };
        check(r#"{"n":"x","a" : 1.0}"#, r#"{"a" : 1.0}"#);
        check(r#"{"n":"x"}"#, "{}");
        check(r#"{"n":"x" , "a":1}"#, r#"{"a":1}"#);
        check(r#"{"n":"x","a":"n"}"#, r#"{"a":"n"}"#);
        check(r#"{"n":"x\"","a":1}"#, r#"{"a":1}"#);
        check(r#"{"n":"x","n":"y","a":1}"#, r#"{"a":1}"#);
        check(r#"{"n":7,"a":1}"#, r#"{"a":1}"#);
        check(r#"{"a":{"n":1}}"#, r#"{"a":{"n":1}}"#);
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
