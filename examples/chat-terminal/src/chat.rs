//! What comes of a line that was typed.

use std::sync::Arc;

use chat_model::{ChatModel, Conversation};
use serde_json::{Map, Value};

use crate::form;
use crate::functions::GatewayFunctions;
use crate::{FoundTool, Terminal, Toolbox, text_of_result};

/// How many tools a person is shown.
const SHOWN_TOOLS: usize = 5;

/// Longest description of a tool in a list, in characters.
const MAX_DESCRIPTION_CHARS: usize = 70;

const SYSTEM: &str = "You help a person by using tools. You reach many tools of many servers through two functions: \
    search_tools finds tools by a description in plain words, and execute_tool runs one of them. Search before you \
    say that something cannot be done. Answer briefly, in the person's language.";

/// A chat with a person.
#[derive(Debug)]
pub struct Chat {
    terminal: Terminal,
    model: Option<Arc<ChatModel>>,
    conversation: Conversation,
}

impl Chat {
    /// A chat in which nothing has been said yet.
    pub fn new(terminal: Terminal, model: Option<Arc<ChatModel>>) -> Self {
        Self { terminal, model, conversation: Conversation::new(SYSTEM) }
    }

    /// Does what `text` asks for: the model does, or the person picks a tool.
    ///
    /// # Errors
    /// What to tell the person. The chat can go on.
    pub async fn hear(&mut self, toolbox: &mut impl Toolbox, text: &str) -> Result<(), String> {
        if let Some(model) = self.model.clone() {
            return self.ask_model(&model, toolbox, text).await;
        }
        let found = self.search(toolbox, text).await?;
        match self.pick(&found).await {
            Some(tool) => self.run(toolbox, tool, None).await,
            None => Ok(()),
        }
    }

    /// Does what `text` asks for, and asks the person no more than it must: without a model it runs the tool that fits
    /// best, with these arguments if there are any.
    ///
    /// # Errors
    /// What to tell the person.
    pub async fn hear_once(
        &mut self,
        toolbox: &mut impl Toolbox,
        text: &str,
        arguments: Option<Map<String, Value>>,
    ) -> Result<(), String> {
        if let Some(model) = self.model.clone() {
            return self.ask_model(&model, toolbox, text).await;
        }
        let found = self.search(toolbox, text).await?;
        self.run(toolbox, &found[0], arguments).await
    }

    async fn ask_model(&mut self, model: &ChatModel, toolbox: &mut impl Toolbox, text: &str) -> Result<(), String> {
        self.conversation.say(text);
        let mut functions = GatewayFunctions { toolbox, terminal: &self.terminal };
        let answer = model.answer(&mut self.conversation, &mut functions).await.map_err(|error| error.to_string())?;
        self.terminal.say(answer);
        Ok(())
    }

    /// Searches and shows what there is: at least one tool.
    async fn search(&self, toolbox: &mut impl Toolbox, query: &str) -> Result<Vec<FoundTool>, String> {
        let found = toolbox.search(query, SHOWN_TOOLS).await?;
        if found.is_empty() {
            return Err("no tool fits; try other words".to_owned());
        }
        for (place, tool) in found.iter().enumerate() {
            let FoundTool { name, description, score, .. } = tool;
            self.terminal.say(format_args!("  {}  {score:.2}  {name}  {}", place + 1, shortened(description)));
        }
        Ok(found)
    }

    async fn pick<'a>(&self, found: &'a [FoundTool]) -> Option<&'a FoundTool> {
        loop {
            let answer = self.terminal.ask("which one? [1, or 0 for none] ").await?;
            match answer.trim() {
                "" => return found.first(),
                "0" => return None,
                number => match number.parse::<usize>().ok().and_then(|place| found.get(place.checked_sub(1)?)) {
                    Some(tool) => return Some(tool),
                    None => self.terminal.say(format_args!("a number from 0 to {}", found.len())),
                },
            }
        }
    }

    async fn run(
        &self,
        toolbox: &mut impl Toolbox,
        tool: &FoundTool,
        arguments: Option<Map<String, Value>>,
    ) -> Result<(), String> {
        let arguments = match arguments {
            Some(arguments) => arguments,
            None => {
                let filled = form::fill(&self.terminal, &tool.input_schema).await;
                filled.ok_or_else(|| format!("`{}` was not run: an argument is missing", tool.name))?
            }
        };
        self.terminal.say(format_args!("running {} {}", tool.name, Value::Object(arguments.clone())));
        let result = toolbox.execute(&tool.name, arguments).await?;
        self.terminal.say(text_of_result(&result)?);
        Ok(())
    }
}

/// The first line of a description, not too long.
fn shortened(description: &str) -> String {
    let line = description.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MAX_DESCRIPTION_CHARS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
