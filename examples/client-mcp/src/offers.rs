//! Resources and prompts.

use chat_terminal::{Terminal, form, text_of_resource};
use rmcp::model::{ContentBlock, GetPromptRequestParams, Prompt, ReadResourceRequestParams};
use serde_json::{Map, Value, json};

use crate::connect::Connection;
use crate::requests::{all_pages, told};

/// `/resources`: what there is to read, and how addresses of more are made.
pub(crate) async fn resources(connection: &Connection, terminal: &Terminal) -> Result<(), String> {
    let peer = connection.peer();
    let resources = all_pages(|page| peer.list_resources(page), |page| (page.resources, page.next_cursor)).await?;
    for resource in &resources {
        terminal.say(format_args!("{}  {}", resource.uri, resource.description.as_ref().unwrap_or(&resource.name)));
    }
    let split = |page: rmcp::model::ListResourceTemplatesResult| (page.resource_templates, page.next_cursor);
    let templates = all_pages(|page| peer.list_resource_templates(page), split).await?;
    for template in &templates {
        let about = template.description.as_ref().unwrap_or(&template.name);
        terminal.say(format_args!("{}  {about}", template.uri_template));
    }
    terminal.say(format_args!("{} resources, {} templates", resources.len(), templates.len()));
    Ok(())
}

/// `/read URI`
pub(crate) async fn read(connection: &Connection, terminal: &Terminal, uri: &str) -> Result<(), String> {
    let result = connection.read_resource(ReadResourceRequestParams::new(uri)).await.map_err(told)?;
    for contents in &result.contents {
        let contents = serde_json::to_value(contents).map_err(|error| error.to_string())?;
        terminal.say(text_of_resource(&contents));
    }
    Ok(())
}

/// `/prompts`
pub(crate) async fn prompts(connection: &Connection, terminal: &Terminal) -> Result<(), String> {
    let prompts = list(connection).await?;
    for prompt in &prompts {
        terminal.say(format_args!("{}  {}", prompt.name, prompt.description.as_deref().unwrap_or_default()));
    }
    terminal.say(format_args!("{} prompts", prompts.len()));
    Ok(())
}

/// `/prompt NAME`: asks for its arguments and shows what it says.
pub(crate) async fn prompt(connection: &Connection, terminal: &Terminal, name: &str) -> Result<(), String> {
    let prompts = list(connection).await?;
    let prompt =
        prompts.iter().find(|prompt| prompt.name == name).ok_or_else(|| format!("no prompt is called {name:?}"))?;
    let arguments = form::fill(terminal, &schema(prompt)).await.ok_or("an argument is missing")?;
    let params = GetPromptRequestParams::new(name).with_arguments(arguments);
    for message in connection.get_prompt(params).await.map_err(told)?.messages {
        let content = match &message.content {
            ContentBlock::Text(text) => text.text.clone(),
            _ => "[something that is no text]".to_owned(),
        };
        terminal.say(format_args!("{:?}: {content}", message.role));
    }
    Ok(())
}

async fn list(connection: &Connection) -> Result<Vec<Prompt>, String> {
    all_pages(|page| connection.peer().list_prompts(page), |page| (page.prompts, page.next_cursor)).await
}

/// A prompt's arguments are texts, some of them required.
fn schema(prompt: &Prompt) -> Value {
    let arguments = prompt.arguments.as_deref().unwrap_or_default();
    let property = |argument: &rmcp::model::PromptArgument| {
        (argument.name.clone(), json!({ "type": "string", "description": argument.description }))
    };
    let required: Vec<_> = arguments.iter().filter(|it| it.required == Some(true)).map(|it| &it.name).collect();
    json!({ "properties": arguments.iter().map(property).collect::<Map<_, _>>(), "required": required })
}
