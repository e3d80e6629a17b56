//! What the reference server says of its tools, byte for byte.

use super::Options;

/// The result of the tool `odd`: unknown fields and content types, `_meta`, numbers that no float
/// keeps, keys out of order, white space inside, escapes that a writer would spell otherwise.
pub const ODD_RESULT: &str = concat!(
    r#"{"x-first" : {"z":1,"a":2 ,  "m":[ ]},"content":[ {"text":"caf\u00e9 \/ snow\u2603 \ud83d\ude00","type":"text","x-unknown":[1,2.0,3e0]}, "#,
    r#"{"type":"hologram","frames":[{"depth":1.50e+3}],"_meta":{"k":"v"}},{"type":"resource_link","uri":"x:\/\/y","name":"link","x":null}],"#,
    r#""isError" :false, "structuredContent":{"b":100000000000000000000001,"a":1.50e+3,"negative zero":-0.0,"tiny":1E-400,"exact":0.10000000000000000555,"b2":-0},"#,
    "\t\"_meta\":{\"example.com/odd\":{\"t\":true,\"\":\"empty key\"}},\"resultType\" : \"complete\",\"dup\":1,\"dup\":2}",
);

/// Generated tools are called this and five digits: `tool_00001`.
pub const GENERATED_TOOL_PREFIX: &str = "tool_";

/// The name of the tool without an input schema that `--malformed-tool` puts among the others.
pub const MALFORMED_TOOL_NAME: &str = "malformed";

/// The names of the tools that are always there, in the order of `tools/list`.
pub const TOOLS: [&str; 18] = [
    "echo",
    "odd",
    "big",
    "slow",
    "cancelled",
    "hang",
    "die",
    "fail",
    "rpc_error",
    "progress",
    "log",
    "add_tool",
    "whoami",
    "ask",
    "forget",
    "headers",
    "env",
    "params",
];

/// Declarations in the order of [`TOOLS`].
const DECLARATIONS: [&str; 18] = [
    concat!(
        r#"{"x-unknown":{"keep":1.50e+3,"order":["b","a"]},"name":"echo","title":"Echo","description":"Returns the text that it is given.","#,
        r#""inputSchema":{"type":"object","required":["text"],"properties":{"text":{"type":"string","description":"What to say"},"ms":{"type":"integer"},"also":{}}},"#,
        r#""annotations":{"readOnlyHint":true,"x-hint":"kept"},"icons":[{"src":"data:image\/png;base64,AA=="}],"_meta":{"example.com/n":1e0}}"#,
    ),
    r#"{"name":"odd","description":"Returns a result with unknown fields, odd numbers and odd white space.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
    r#"{"name":"big","description":"Returns a result of so many bytes.","inputSchema":{"type":"object","properties":{"bytes":{"type":"integer","minimum":100}},"required":["bytes"]},"annotations":{"idempotentHint":true}}"#,
    r#"{"name":"slow","description":"Answers after a while.","inputSchema":{"type":"object","properties":{"ms":{"type":"integer","minimum":0}},"required":["ms"]}}"#,
    r#"{"name":"cancelled","description":"Tells how many requests were cancelled and how many are under way.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
    r#"{"name":"hang","description":"Never answers.","inputSchema":{"type":"object"}}"#,
    r#"{"name":"die","description":"Ends the server's process in the middle of the call.","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true}}"#,
    r#"{"name":"fail","description":"A tool that fails: isError is true.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}}}}"#,
    r#"{"name":"rpc_error","description":"Answers with a JSON-RPC error.","inputSchema":{"type":"object","properties":{"code":{"type":"integer"},"message":{"type":"string"},"data":{}}}}"#,
    r#"{"name":"progress","description":"Reports progress so many times, then answers.","inputSchema":{"type":"object","properties":{"steps":{"type":"integer"},"pause_ms":{"type":"integer"}},"required":["steps"]}}"#,
    r#"{"name":"log","description":"Sends a log message, then answers.","inputSchema":{"type":"object","properties":{"text":{"type":"string"},"level":{"type":"string"}}}}"#,
    r#"{"name":"add_tool","description":"Adds a tool and says that the list has changed.","inputSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}}"#,
    r#"{"name":"whoami","description":"Tells the process, the connection and how many calls it has made.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
    r#"{"name":"ask","description":"Sends the client a request and returns what the client answers.","inputSchema":{"type":"object","properties":{"method":{"type":"string"},"params":{"type":"object"}},"required":["method"]}}"#,
    r#"{"name":"forget","description":"Answers, then forgets the session that the call came in.","inputSchema":{"type":"object"}}"#,
    r#"{"name":"headers","description":"Returns the HTTP headers of the call.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
    r#"{"name":"env","description":"Returns a variable of the server's environment.","inputSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]},"annotations":{"readOnlyHint":true}}"#,
    r#"{"name":"params","description":"Returns all params of the call as they came.","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#,
];

/// All declarations that a server with these options starts with.
pub(super) fn declarations(options: &Options) -> Vec<String> {
    let mut all: Vec<String> = DECLARATIONS.iter().map(|&text| text.to_owned()).collect();
    if options.malformed_tool {
        all.insert(2, format!(r#"{{"name":"{MALFORMED_TOOL_NAME}","description":["no text"]}}"#));
    }
    all.extend((1..=options.extra_tools).map(generated));
    all
}

/// The declaration of a tool that behaves like `echo`.
pub(super) fn echo_like(name: &str) -> String {
    let name = serde_json::Value::from(name);
    format!(
        concat!(
            r#"{{"name":{name},"description":"Returns the text that it is given.","#,
            r#""inputSchema":{{"type":"object","properties":{{"text":{{"type":"string"}}}},"required":["text"]}}}}"#
        ),
        name = name
    )
}

fn generated(number: usize) -> String {
    echo_like(&format!("{GENERATED_TOOL_PREFIX}{number:05}"))
}

#[cfg(test)]
mod tests {
    use gateway_core::{RawJson, Tool};

    use super::*;

    #[test]
    fn declarations_stand_in_the_order_of_their_names() {
        for (name, text) in TOOLS.iter().zip(DECLARATIONS) {
            let tool = Tool::parse(RawJson::parse(text).expect("valid JSON")).expect("a good tool");
            assert_eq!(tool.name(), *name);
        }
    }

    #[test]
    fn the_odd_result_is_json_that_a_tree_would_not_keep() {
        let tree: serde_json::Value = serde_json::from_str(&ODD_RESULT.replace("1E-400", "0")).expect("valid JSON");
        assert_ne!(tree.to_string(), ODD_RESULT);
        assert_eq!(RawJson::parse(ODD_RESULT).expect("valid JSON").as_str(), ODD_RESULT);
        assert!(!ODD_RESULT.contains(['\n', '\r']), "a line break would not survive a wire of lines");
    }

    #[test]
    fn options_add_tools() {
        let options = Options { extra_tools: 2, malformed_tool: true, ..Options::default() };
        let all = declarations(&options);
        assert_eq!(all.len(), TOOLS.len() + 3);
        assert!(all.last().expect("not empty").contains("tool_00002"));
    }
}
