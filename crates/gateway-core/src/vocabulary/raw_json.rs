//! JSON text that nobody has parsed yet.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One JSON value as its text: cheap to clone, written out unchanged.
///
/// The text is valid JSON in UTF-8 without white space before or after the value. Order of keys,
/// spelling of numbers, unknown fields and white space inside survive, since nothing is rebuilt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Checks that `text` is one JSON value and keeps it without copying.
    ///
    /// # Errors
    /// Where `text` is not one JSON value.
    pub fn parse(text: impl Into<Bytes>) -> serde_json::Result<Self> {
        let text = text.into();
        let raw: &RawValue = serde_json::from_slice(&text)?;
        let slice = text.slice_ref(raw.get().as_bytes());
        Ok(Self(slice))
    }

    /// The part of `whole` that `raw` was borrowed from, without copying and without checking again.
    ///
    /// # Panics
    /// Where `raw` does not lie in `whole`.
    pub fn slice_of(whole: &Bytes, raw: &RawValue) -> Self {
        Self(whole.slice_ref(raw.get().as_bytes()))
    }

    /// The JSON text of `value`.
    ///
    /// # Errors
    /// Where `value` cannot be written as JSON, such as a map with keys that are no strings.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        serde_json::to_vec(value).map(|text| Self(text.into()))
    }

    /// Wraps text that the caller has put together from JSON, without white space round it. Only debug builds
    /// check it: the road of a call does not read a large result twice.
    pub fn assembled(text: Vec<u8>) -> Self {
        debug_assert!(serde_json::from_slice::<&RawValue>(&text).is_ok());
        Self(text.into())
    }

    /// The value `{}`.
    pub fn empty_object() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// Reads what a caller needs of it into `T`, which may borrow.
    ///
    /// # Errors
    /// Where the text is not what `T` takes.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("RawJson is made from checked UTF-8 only")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether the value is a JSON object.
    pub fn is_object(&self) -> bool {
        self.0.first() == Some(&b'{')
    }

    /// A copy with memory of its own, for what is kept: a slice would keep the whole message alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(raw: Box<RawValue>) -> Self {
        Self(Bytes::from(String::from(Box::<str>::from(raw)).into_bytes()))
    }
}

impl fmt::Debug for RawJson {
    /// Shows the size only: arguments and results may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_as_it_came() {
        let check = |input: &str, expected: &str| {
            let raw = RawJson::parse(input.to_owned()).expect("valid");
            assert_eq!(raw.as_str(), expected);
            assert_eq!(serde_json::to_string(&raw).expect("serializes"), expected);
            let again: RawJson = serde_json::from_str(input).expect("deserializes");
            assert_eq!(again.as_str(), expected);
        };
        check(r#" {"b": 1.50e+3, "a" : [ 1 ]} "#, r#"{"b": 1.50e+3, "a" : [ 1 ]}"#);
        check("100000000000000000000000001", "100000000000000000000000001");
        check(r#""\u00e9""#, r#""\u00e9""#);
    }

    #[test]
    fn refuses_what_is_no_json() {
        for input in ["", "{", "{} {}", "nul", "{\"a\":1,}"] {
            assert!(RawJson::parse(input).is_err(), "{input}");
        }
    }
}
