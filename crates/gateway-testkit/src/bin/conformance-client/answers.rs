//! What this client answers when a server asks it something.

use serde_json::{Map, Value, json};

/// What it can be asked.
pub fn capabilities() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": {} })
}

/// The result for a request of the server's; an error for what it does not know.
pub fn to(method: &str, params: &Value) -> Result<Value, Value> {
    match method {
        "elicitation/create" => Ok(json!({ "action": "accept", "content": filled_in(&params["requestedSchema"]) })),
        "sampling/createMessage" => Ok(json!({
            "role": "assistant",
            "content": { "type": "text", "text": "an answer" },
            "model": "conformance-client",
            "stopReason": "endTurn",
        })),
        "roots/list" => Ok(json!({ "roots": [{ "uri": "file:///work", "name": "work" }] })),
        "ping" => Ok(json!({})),
        _ => Err(json!({ "code": -32601, "message": format!("Method not found: {method}") })),
    }
}

/// A form as a user leaves it who changes nothing that is filled in already (SEP-1034).
fn filled_in(schema: &Value) -> Value {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let content = fields.filter_map(|(name, field)| {
        let value = field.get("default").cloned();
        let value = value.or_else(|| required.contains(&name.as_str()).then(|| example(field)));
        value.map(|value| (name.clone(), value))
    });
    Value::Object(content.collect())
}

/// Arguments that a tool with this input schema takes: only what it requires.
pub fn arguments(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let arguments: Map<String, Value> =
        required.map(|name| (name.to_owned(), example(&schema["properties"][name]))).collect();
    Value::Object(arguments)
}

/// A value that fits `schema`, as far as its type says.
fn example(schema: &Value) -> Value {
    if let Some(choice) = schema["enum"].get(0) {
        return choice.clone();
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        Some("null") => Value::Null,
        _ => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_keep_their_defaults_and_get_what_they_require() {
        let schema = json!({
            "properties": {
                "score": { "type": "number", "default": 95.5 },
                "ok": { "type": "boolean" },
                "color": { "type": "string", "enum": ["red"] },
                "left": { "type": "string" },
            },
            "required": ["ok", "color"],
        });
        assert_eq!(filled_in(&schema), json!({ "score": 95.5, "ok": true, "color": "red" }));
        assert_eq!(arguments(&schema), json!({ "ok": true, "color": "red" }));
        assert!(to("no/such", &json!({})).is_err());
    }
}
