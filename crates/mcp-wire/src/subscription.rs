//! What a modern server is asked to tell of its own accord.

use gateway_core::{Era, RawJson, UpstreamInfo};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Announced {
    tools: Changing,
    prompts: Changing,
    resources: Changing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Changing {
    list_changed: bool,
}

/// Whether the server announces that its list of tools changes.
pub fn announces_tool_changes(info: &UpstreamInfo) -> bool {
    announced(info).tools.list_changed
}

/// The `params` of the `subscriptions/listen` that asks for every change of a list that the server
/// announces; `None` where there is nothing to hear. A server of the legacy era tells without being
/// asked.
pub fn listen_params(info: &UpstreamInfo) -> Option<RawJson> {
    if info.era == Era::Legacy {
        return None;
    }
    let announced = announced(info);
    let wanted: Vec<_> = [
        (announced.tools, r#""toolsListChanged":true"#),
        (announced.prompts, r#""promptsListChanged":true"#),
        (announced.resources, r#""resourcesListChanged":true"#),
    ]
    .into_iter()
    .filter_map(|(list, text)| list.list_changed.then_some(text))
    .collect();
    let params = format!(r#"{{"notifications":{{{}}}}}"#, wanted.join(","));
    let params = RawJson::parse(params).expect("parts that are JSON make JSON");
    (!wanted.is_empty()).then_some(params)
}

fn announced(info: &UpstreamInfo) -> Announced {
    info.capabilities.read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_announced_is_asked_for() {
        let check = |era: Era, capabilities: &'static str, expected: Option<&str>| {
            let info = UpstreamInfo {
                protocol_version: String::new(),
                era,
                raw: RawJson::empty_object(),
                capabilities: RawJson::parse(capabilities).expect("valid JSON"),
                server_info: None,
                instructions: None,
                process_id: None,
            };
            assert_eq!(listen_params(&info).as_ref().map(RawJson::as_str), expected);
        };
        check(Era::Modern, "{}", None);
        check(Era::Modern, r#"{"tools":{},"x":1}"#, None);
        check(Era::Modern, r#"{"tools":{"listChanged":"yes"}}"#, None);
        let two = r#"{"tools":{"listChanged":true},"prompts":{},"resources":{"listChanged":true,"subscribe":true}}"#;
        check(Era::Legacy, two, None);
        check(Era::Modern, two, Some(r#"{"notifications":{"toolsListChanged":true,"resourcesListChanged":true}}"#));
    }
}
