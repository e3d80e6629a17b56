//! The two functions that a model gets.

use chat_model::{Call, Function, Functions};
use serde_json::{Map, Value, json};

use crate::{FoundTool, Terminal, Toolbox, text_of_result};

const SEARCH_TOOLS: &str = "search_tools";
const EXECUTE_TOOL: &str = "execute_tool";

/// Tools of a search where the model does not say how many.
const DEFAULT_LIMIT: usize = 5;
const MAX_LIMIT: usize = 20;

/// Longest result that the model gets to read, in characters: a file of megabytes helps nobody.
const MAX_RESULT_CHARS: usize = 50_000;

/// The functions, over a toolbox. The person sees what the model does.
pub(crate) struct GatewayFunctions<'a, T> {
    pub(crate) toolbox: &'a mut T,
    pub(crate) terminal: &'a Terminal,
}

impl<T: Toolbox> Functions for GatewayFunctions<'_, T> {
    fn declarations(&self) -> Vec<Function> {
        let search = json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "What the tool should do, in plain words." },
                "limit": { "type": "integer", "description": "How many tools at most; 5 when left out." },
            },
            "required": ["query"],
        });
        let execute = json!({
            "type": "object",
            "properties": {
                "tool_name": { "type": "string", "description": "The name that search_tools returned." },
                "args": { "type": "object", "description": "Arguments that fit the tool's input_schema." },
            },
            "required": ["tool_name", "args"],
        });
        let about_search =
            "Finds tools. Returns names, descriptions, JSON Schemas of arguments, and scores from 0 to 1.";
        let about_execute = "Runs a tool that search_tools found, and returns its result.";
        [(SEARCH_TOOLS, about_search, search), (EXECUTE_TOOL, about_execute, execute)]
            .map(|(name, about, parameters)| Function { name: name.into(), description: about.into(), parameters })
            .into()
    }

    async fn call(&mut self, call: &Call) -> Result<String, String> {
        let arguments = call.arguments.as_object().ok_or("the arguments must be a JSON object")?;
        match call.name.as_str() {
            SEARCH_TOOLS => self.search(arguments).await,
            _ => self.execute(arguments).await,
        }
    }
}

impl<T: Toolbox> GatewayFunctions<'_, T> {
    async fn search(&mut self, arguments: &Map<String, Value>) -> Result<String, String> {
        let query = arguments.get("query").and_then(Value::as_str).ok_or("`query` must be a text")?;
        let limit = arguments.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
        self.terminal.say(format_args!("· searches: {query}"));
        let found = self.toolbox.search(query, limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)).await?;
        if found.is_empty() {
            return Ok("No tool fits. Try other words.".to_owned());
        }
        let tool = |FoundTool { name, description, input_schema, score }: &FoundTool| json!({ "name": name, "description": description, "input_schema": input_schema, "score": score });
        Ok(Value::from_iter(found.iter().map(tool)).to_string())
    }

    async fn execute(&mut self, arguments: &Map<String, Value>) -> Result<String, String> {
        let name = arguments.get("tool_name").and_then(Value::as_str).ok_or("`tool_name` must be a text")?;
        let args = match arguments.get("args") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(args)) => args.clone(),
            Some(_) => return Err("`args` must be an object".to_owned()),
        };
        self.terminal.say(format_args!("· runs: {name} {}", Value::Object(args.clone())));
        let result = self.toolbox.execute(name, args).await?;
        text_of_result(&result).map(limited).map_err(limited)
    }
}

fn limited(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_RESULT_CHARS) {
        let left_out = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n[{left_out} more bytes are left out]"));
    }
    text
}
