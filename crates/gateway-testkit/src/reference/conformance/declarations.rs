//! What the fixture says of itself, byte for byte.

/// Capabilities besides tools and logging, to go after them.
pub(in crate::reference) const CAPABILITIES: &str =
    r#","prompts":{"listChanged":true},"resources":{"subscribe":true},"completions":{}"#;

/// A red dot.
pub(super) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// Content of a tool or a prompt: [`PNG`].
pub(super) const IMAGE: &str = r#"{"type":"image","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==","mimeType":"image/png"}"#;
/// Content of a tool: a WAV file without samples.
pub(super) const AUDIO: &str =
    r#"{"type":"audio","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","mimeType":"audio/wav"}"#;

/// The resource that `test_trigger_resource_update` changes.
pub(super) const WATCHED: &str = "test://watched-resource";
/// The header that repeats the argument of `test_custom_header`.
pub(super) const CUSTOM_HEADER: &str = "mcp-param-region";

/// A form whose fields are filled in already (SEP-1034).
pub(super) const FORM_WITH_DEFAULTS: &str = concat!(
    r#"{"type":"object","properties":{"name":{"type":"string","description":"User name","default":"John Doe"},"#,
    r#""age":{"type":"integer","description":"User age","default":30},"#,
    r#""score":{"type":"number","description":"User score","default":95.5},"#,
    r#""status":{"type":"string","description":"User status","enum":["active","inactive","pending"],"default":"active"},"#,
    r#""verified":{"type":"boolean","description":"Verification status","default":true}},"required":[]}"#,
);

/// A form with every way to write a choice (SEP-1330).
pub(super) const ENUM_FORM: &str = concat!(
    r#"{"type":"object","properties":{"untitledSingle":{"type":"string","description":"Select one option","#,
    r#""enum":["option1","option2","option3"]},"titledSingle":{"type":"string","description":"Select one option with titles","#,
    r#""oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},"#,
    r#""legacyEnum":{"type":"string","description":"Select one option (legacy)","enum":["opt1","opt2","opt3"],"#,
    r#""enumNames":["Option One","Option Two","Option Three"]},"untitledMulti":{"type":"array","description":"Select multiple options","#,
    r#""minItems":1,"maxItems":3,"items":{"type":"string","enum":["option1","option2","option3"]}},"#,
    r#""titledMulti":{"type":"array","description":"Select multiple options with titles","minItems":1,"maxItems":3,"#,
    r#""items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},"required":[]}"#,
);

/// Tools without arguments, and what they do.
const PLAIN_TOOLS: [(&str, &str); 25] = [
    ("test_simple_text", "Returns a text."),
    ("test_image_content", "Returns an image."),
    ("test_audio_content", "Returns a sound."),
    ("test_embedded_resource", "Returns a resource."),
    ("test_multiple_content_types", "Returns a text, an image and a resource."),
    ("test_tool_with_logging", "Sends three log messages, then answers."),
    ("test_tool_with_progress", "Reports progress three times, then answers."),
    ("test_error_handling", "Always fails."),
    ("test_elicitation_sep1034_defaults", "Asks the user with a form that is filled in already."),
    ("test_elicitation_sep1330_enums", "Asks the user with every kind of choice."),
    ("test_reconnection", "Ends the event stream in the middle of the call; the client resumes it."),
    ("test_missing_capability", "Needs a client that samples."),
    ("test_streaming_elicitation", "Reports progress, then asks the user."),
    ("test_logging_tool", "Sends log messages to who asked for them, then answers."),
    ("test_trigger_tool_change", "Adds a tool or takes it away, and says so."),
    ("test_trigger_prompt_change", "Adds a prompt or takes it away, and says so."),
    ("test_trigger_resource_update", "Tells who watches test://watched-resource that it has changed."),
    ("test_input_required_result_elicitation", "Asks the user's name."),
    ("test_input_required_result_sampling", "Asks the model a question."),
    ("test_input_required_result_list_roots", "Asks for the client's roots."),
    ("test_input_required_result_request_state", "Asks the user, with state that the client carries."),
    ("test_input_required_result_multiple_inputs", "Asks the user, the model and for roots at once."),
    ("test_input_required_result_multi_round", "Asks the user twice, one after the other."),
    ("test_input_required_result_tampered_state", "Refuses state that is not as it was."),
    ("test_input_required_result_capabilities", "Asks only what the client declared that it answers."),
];

/// Tools with arguments.
const OTHER_TOOLS: [&str; 4] = [
    r#"{"name":"test_sampling","description":"Asks the client's model.","inputSchema":{"type":"object","properties":{"prompt":{"type":"string","description":"The prompt to send to the LLM"}},"required":["prompt"]}}"#,
    r#"{"name":"test_elicitation","description":"Asks the user.","inputSchema":{"type":"object","properties":{"message":{"type":"string","description":"The message to show the user"}},"required":["message"]}}"#,
    r#"{"name":"test_custom_header","description":"Wants its argument in a header too.","inputSchema":{"type":"object","properties":{"region":{"type":"string","description":"Where","x-mcp-header":"Region"}}}}"#,
    concat!(
        r#"{"name":"json_schema_2020_12_tool","description":"Tool with JSON Schema 2020-12 features","inputSchema":{"#,
        r##""$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"$anchor":"addressDef","type":"object","##,
        r#""properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"#,
        r##""address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"##,
        r#""email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],"#,
        r#""if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"#,
        r#""else":{"required":["email"]},"additionalProperties":false}}"#,
    ),
];

/// What `test_trigger_tool_change` adds.
pub(super) const DYNAMIC_TOOL: &str =
    r#"{"name":"test_dynamic_tool","description":"Comes and goes.","inputSchema":{"type":"object"}}"#;
/// What `test_trigger_prompt_change` adds.
pub(super) const DYNAMIC_PROMPT: &str = r#"{"name":"test_dynamic_prompt","description":"Comes and goes."}"#;

const PROMPTS: [&str; 5] = [
    r#"{"name":"test_simple_prompt","description":"A text."}"#,
    r#"{"name":"test_prompt_with_arguments","description":"A text with two gaps.","arguments":[{"name":"arg1","description":"First test argument","required":true},{"name":"arg2","description":"Second test argument","required":true}]}"#,
    r#"{"name":"test_prompt_with_embedded_resource","description":"A resource and a text.","arguments":[{"name":"resourceUri","description":"URI of the resource to embed","required":true}]}"#,
    r#"{"name":"test_prompt_with_image","description":"An image and a text."}"#,
    r#"{"name":"test_input_required_result_prompt","description":"Asks the user before it is complete."}"#,
];

const RESOURCES: [&str; 3] = [
    r#"{"uri":"test://static-text","name":"Static text","description":"A text.","mimeType":"text/plain"}"#,
    r#"{"uri":"test://static-binary","name":"Static binary","description":"An image.","mimeType":"image/png"}"#,
    r#"{"uri":"test://watched-resource","name":"Watched resource","description":"A text that can be watched.","mimeType":"text/plain"}"#,
];

const TEMPLATES: [&str; 1] = [
    r#"{"uriTemplate":"test://template/{id}/data","name":"Template","description":"Data for an id.","mimeType":"application/json"}"#,
];

/// The declarations that the list of tools starts with.
pub(in crate::reference) fn tools() -> Vec<String> {
    let plain = PLAIN_TOOLS.iter().map(|(name, description)| {
        format!(
            r#"{{"name":"{name}","description":"{description}","inputSchema":{{"type":"object","properties":{{}}}}}}"#
        )
    });
    plain.chain(OTHER_TOOLS.iter().map(|&text| text.to_owned())).collect()
}

/// The declarations that the list of prompts starts with.
pub(in crate::reference) fn prompts() -> Vec<String> {
    PROMPTS.map(str::to_owned).into()
}

pub(super) fn resources() -> Vec<String> {
    RESOURCES.map(str::to_owned).into()
}

pub(super) fn templates() -> Vec<String> {
    TEMPLATES.map(str::to_owned).into()
}
