//! The fixture's prompts.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::answer::head;
use super::declarations::{DYNAMIC_PROMPT, IMAGE};
use super::dialogue::{Dialogue, Question};
use crate::reference::peer::{Peer, Request};
use crate::reference::wire::{Fault, INVALID_PARAMS, Params, quote};

pub(super) async fn get(peer: &Peer, request: &Request, params: &Params<'_>) -> Result<String, Fault> {
    let name = params.name.as_deref().ok_or_else(|| Fault::new(INVALID_PARAMS, "`name` is missing"))?;
    let arguments: HashMap<String, Cow<'_, str>> =
        serde_json::from_str(params.arguments.map_or("{}", RawValue::get))
            .map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("arguments: {error}")))?;
    let argument = |name: &str| {
        let value = arguments.get(name);
        value.ok_or_else(|| Fault::of_tool(INVALID_PARAMS, format!("the argument `{name}` is missing")))
    };
    let messages = match name {
        "test_simple_prompt" => messages(&[text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1")?, argument("arg2")?);
            messages(&[text(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))])
        }
        "test_prompt_with_embedded_resource" => {
            let resource = format!(
                r#"{{"type":"resource","resource":{{"uri":{},"mimeType":"text/plain","text":"Embedded resource content for testing."}}}}"#,
                quote(argument("resourceUri")?)
            );
            messages(&[resource, text("Please process the embedded resource above.")])
        }
        "test_prompt_with_image" => messages(&[IMAGE.to_owned(), text("Please analyze the image above.")]),
        "test_dynamic_prompt" if peer.server.prompts().iter().any(|prompt| prompt == DYNAMIC_PROMPT) => {
            messages(&[text("A prompt that comes and goes.")])
        }
        "test_input_required_result_prompt" => {
            let question =
                Question::elicit_one("user_context", "What context should the prompt use?", "context", "string");
            let dialogue = Dialogue::new(vec![question], |answers| {
                let context = answers.of("user_context")["content"]["context"].as_str().unwrap_or("none");
                messages(&[text(&format!("The context is: {context}"))])
            });
            return dialogue.hold(peer, request, params, name).await;
        }
        name => return Err(Fault::of_tool(INVALID_PARAMS, format!("Unknown prompt: {name}"))),
    };
    Ok(format!("{{{}{messages}}}", head(request.arrival.modern)))
}

fn text(text: &str) -> String {
    format!(r#"{{"type":"text","text":{}}}"#, quote(text))
}

/// The members of a result: each content is a message of the user's.
fn messages(contents: &[String]) -> String {
    let messages: Vec<String> =
        contents.iter().map(|content| format!(r#"{{"role":"user","content":{content}}}"#)).collect();
    format!(r#""messages":[{}]"#, messages.join(","))
}
