//! One tool of the array: what its server declared, and our keys before it.

use std::borrow::Cow;

use gateway_core::{KnownTool, RawJson, Tool, ToolEntry};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

const SERVER: &str = "mcp_server";
const SERVER_UUID: &str = "mcp_server_uuid";

/// Writes a tool. Every member that its server declared stays as it was, but for two: a server must not be able to say
/// that its tool is another server's.
pub(crate) fn write(text: &mut Vec<u8>, entry: &ToolEntry) {
    text.push(b'{');
    string(text, SERVER);
    text.push(b':');
    string(text, &entry.server);
    text.push(b',');
    string(text, SERVER_UUID);
    text.push(b':');
    string(text, &entry.server_uuid.to_string());
    let Members(declared) = entry.tool.raw().read().unwrap_or_default();
    let mut has_description = false;
    for (key, value) in &declared {
        if key == SERVER || key == SERVER_UUID {
            continue;
        }
        has_description |= key == "description";
        text.push(b',');
        member(text, key, value);
    }
    if !has_description {
        text.extend_from_slice(br#","description":"""#);
    }
    text.push(b'}');
}

/// Reads what [`write`] wrote, or another program.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(entry: &RawValue) -> Result<KnownTool, String> {
    let Members(members) = serde_json::from_str(entry.get()).map_err(|_| "it is no object".to_owned())?;
    let mut server_uuid = None;
    let mut text = vec![b'{'];
    for (key, value) in &members {
        match key.as_ref() {
            SERVER => {}
            SERVER_UUID => {
                let uuid: Uuid =
                    serde_json::from_str(value.get()).map_err(|_| format!("`{SERVER_UUID}` is no UUID"))?;
                if server_uuid.replace(uuid).is_some() {
                    return Err(format!("`{SERVER_UUID}` is there twice"));
                }
            }
            key => {
                if text.len() > 1 {
                    text.push(b',');
                }
                member(&mut text, key, value);
            }
        }
    }
    text.push(b'}');
    let server_uuid = server_uuid.ok_or_else(|| format!("`{SERVER_UUID}` is missing"))?;
    let declaration = RawJson::assembled(text);
    Tool::parse(declaration.clone()).map_err(|rejected| rejected.reason)?;
    Ok(KnownTool { server_uuid, declaration })
}

fn member(text: &mut Vec<u8>, key: &str, value: &RawValue) {
    string(text, key);
    text.push(b':');
    text.extend_from_slice(value.get().as_bytes());
}

fn string(text: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(text, value).expect("a text is always JSON");
}

/// The members of an object in their order.
#[derive(Default)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn written(declared: &str) -> String {
        let raw = RawJson::parse(declared.to_owned()).expect("valid JSON");
        let entry = ToolEntry {
            server: "de\"mo".into(),
            server_uuid: Uuid::from_u128(7),
            qualified_name: "demo__t".into(),
            tool: Arc::new(Tool::parse(raw).expect("a tool")),
        };
        let mut text = Vec::new();
        write(&mut text, &entry);
        String::from_utf8(text).expect("is UTF-8")
    }

    fn read_back(entry: &str) -> Result<KnownTool, String> {
        read(serde_json::from_str(entry).expect("valid JSON"))
    }

    #[test]
    fn a_declaration_comes_back_as_it_was() {
        let declared = r#"{"name":"t","title":"T","description":"d\u00e9","inputSchema":{"b":1.50,"a":1e3},"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"},"_meta":{"z":[null]},"x-new":1}"#;
        let text = written(declared);
        let ours = r#"{"mcp_server":"de\"mo","mcp_server_uuid":"00000000-0000-0000-0000-000000000007","#;
        assert_eq!(text, format!("{ours}{}", &declared[1..]));
        let known = read_back(&text).expect("is one of ours");
        assert_eq!(known.server_uuid, Uuid::from_u128(7));
        assert_eq!(known.declaration.as_str(), declared);
        assert!(written(r#"{"name":"t","inputSchema":{}}"#).ends_with(r#","description":""}"#));
    }

    #[test]
    fn a_server_cannot_speak_for_another() {
        for key in ["mcp_server", "mcp_server_uuid", r"mcp\u005fserver_uuid"] {
            let text = written(&format!(r#"{{"name":"t","{key}":"evil","inputSchema":{{}}}}"#));
            assert!(!text.contains("evil"), "{text}");
            assert_eq!(read_back(&text).expect("is one of ours").server_uuid, Uuid::from_u128(7));
        }
    }

    #[test]
    fn what_is_no_tool_is_refused() {
        let uuid = r#""mcp_server_uuid":"00000000-0000-0000-0000-000000000007""#;
        let check = |entry: &str, expected: &str| {
            let why = read_back(entry).expect_err(entry);
            assert!(why.contains(expected), "{entry}: {why}");
        };
        check("[]", "no object");
        check("7", "no object");
        check(r#"{"name":"t","inputSchema":{}}"#, "`mcp_server_uuid` is missing");
        check(r#"{"mcp_server_uuid":"7","name":"t","inputSchema":{}}"#, "no UUID");
        check(&format!(r#"{{{uuid},{uuid},"name":"t","inputSchema":{{}}}}"#), "twice");
        check(&format!(r#"{{{uuid},"inputSchema":{{}}}}"#), "`name` is missing");
        check(&format!(r#"{{{uuid},"name":"t","inputSchema":[]}}"#), "`inputSchema`");
    }
}
