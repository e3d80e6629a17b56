//! Uses everything that a server offers, once: what the suite's servers want to see is in it.

use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::client::Client;
use crate::http::Headers;
use crate::{Outcome, answers, mirror};

/// Returns what went wrong, all of it.
pub async fn take(client: &Client, arguments: &Arguments) -> Outcome<()> {
    let mut mistakes = Vec::new();
    let tools = client.list("tools/list", "tools").await?;
    for (tool, given) in calls(&tools, arguments) {
        let schema = &tool["inputSchema"];
        let headers = mirror::headers(schema, &given);
        let params = json!({ "name": tool["name"], "arguments": given });
        mistakes.extend(client.request("tools/call", params, &headers).await.err());
    }
    for (capability, list, key, method, name) in [
        ("resources", "resources/list", "resources", "resources/read", "uri"),
        ("prompts", "prompts/list", "prompts", "prompts/get", "name"),
    ] {
        if client.capabilities().get(capability).is_none() {
            continue;
        }
        for item in client.list(list, key).await? {
            let params = json!({ name: item[name] });
            mistakes.extend(client.request(method, params, &Headers::new()).await.err());
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("\n")) }
}

/// Which tools to call, with what.
fn calls<'t>(tools: &'t [Value], arguments: &'t Arguments) -> Vec<(&'t Value, Value)> {
    let named = |name: &Value| tools.iter().find(|tool| tool["name"] == *name);
    if let Some(calls) = arguments.context["toolCalls"].as_array() {
        return calls.iter().filter_map(|call| Some((named(&call["name"])?, call["arguments"].clone()))).collect();
    }
    // Behind a gateway it is the gateway that must not pass a bad tool on.
    let usable = |tool: &&Value| !arguments.direct || mirror::is_valid(&tool["inputSchema"]);
    tools
        .iter()
        .filter(usable)
        .map(|tool| match tool["name"].as_str() {
            // Wants the schema of the other tool as it arrived here.
            Some("json_schema_echo") => {
                let other = named(&json!("json_schema_2020_12_tool"));
                (tool, json!({ "schema": other.map_or(Value::Null, |other| other["inputSchema"].clone()) }))
            }
            _ => (tool, answers::arguments(&tool["inputSchema"])),
        })
        .collect()
}
