//! `completion/complete`.

use serde::Deserialize;

use super::answer::head;
use crate::reference::wire::{Fault, INVALID_PARAMS};

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "ref")]
    of: Reference,
    argument: Argument,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Template { uri: String },
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

pub(super) fn complete(params: &str, modern: bool) -> Result<String, Fault> {
    let Asked { of, argument } =
        serde_json::from_str(params).map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("params: {error}")))?;
    let candidates: &[&str] = match (&of, argument.name.as_str()) {
        (Reference::Prompt { name }, "arg1" | "arg2") if name == "test_prompt_with_arguments" => {
            &["paris", "park", "party", "test", "testing"]
        }
        (Reference::Template { uri }, "id") if uri == "test://template/{id}/data" => &["1", "12", "123"],
        _ => return Err(Fault::of_tool(INVALID_PARAMS, "there is nothing to complete")),
    };
    let values: Vec<&&str> = candidates.iter().filter(|value| value.starts_with(&argument.value)).collect();
    let completion = serde_json::json!({ "completion": { "values": values, "total": values.len(), "hasMore": false } });
    let members = completion.to_string();
    Ok(format!("{{{}{}", head(modern), &members[1..]))
}
