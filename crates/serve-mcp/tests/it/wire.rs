//! JSON-RPC messages as text.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The revision without a handshake.
pub const MODERN: &str = "2026-07-28";
/// The newest one with a handshake.
pub const LEGACY: &str = "2025-11-25";

/// One message that a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The whole text.
    pub raw: String,
    /// The id as it stands there.
    pub id: Option<String>,
    pub method: Option<String>,
    /// The params as they stand there.
    pub params: String,
    /// The result, or the error object, as it stands there.
    pub outcome: Option<Result<String, String>>,
}

impl Message {
    /// Reads a message.
    #[track_caller]
    pub fn read(text: &str) -> Self {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            jsonrpc: String,
            #[serde(borrow, default)]
            id: Option<&'a RawValue>,
            #[serde(default)]
            method: Option<String>,
            #[serde(borrow, default)]
            params: Option<&'a RawValue>,
            #[serde(borrow, default)]
            result: Option<&'a RawValue>,
            #[serde(borrow, default)]
            error: Option<&'a RawValue>,
        }
        let read: Envelope<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read.jsonrpc, "2.0", "{text}");
        let own = |raw: &RawValue| raw.get().to_owned();
        let outcome = match (read.result, read.error) {
            (None, None) => None,
            (Some(result), None) => Some(Ok(own(result))),
            (None, Some(error)) => Some(Err(own(error))),
            (Some(_), Some(_)) => panic!("both result and error: {text}"),
        };
        assert!(outcome.is_some() != read.method.is_some(), "neither an answer nor anything else: {text}");
        Self {
            raw: text.to_owned(),
            id: read.id.map(own),
            method: read.method,
            params: read.params.map_or_else(|| "{}".to_owned(), own),
            outcome,
        }
    }

    pub fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }
}

/// A member of an object, as it stands there.
pub fn member(object: &str, name: &str) -> Option<String> {
    let members: std::collections::HashMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    members.get(name).map(|value| value.get().to_owned())
}

/// All members of an object in their order, each as it stands there. Repeated names stay.
pub fn members(object: &str) -> Vec<(String, String)> {
    struct Members;
    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                found.push((name, value.get().to_owned()));
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    serde::Deserializer::deserialize_map(&mut reader, Members).unwrap()
}

/// The object without one member.
pub fn without(object: &str, name: &str) -> String {
    let kept: Vec<String> = members(object)
        .into_iter()
        .filter(|(own, _)| own != name)
        .map(|(own, value)| format!("{}:{value}", quote(&own)))
        .collect();
    format!("{{{}}}", kept.join(","))
}

/// A text as JSON.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text that JSON stands for.
#[track_caller]
pub fn unquote(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}
