//! Searching and running tools over REST.

use chat_terminal::{FoundTool, Terminal, Toolbox, text_of_log, text_of_progress};
use gateway_client::{CallEvent, GatewayClient, SearchRequest, ToolCall};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::told;

/// The tools behind a gateway.
#[derive(Debug)]
pub(crate) struct RestToolbox {
    gateway: GatewayClient,
    terminal: Terminal,
}

impl RestToolbox {
    pub(crate) fn new(gateway: GatewayClient, terminal: Terminal) -> Self {
        Self { gateway, terminal }
    }

    /// Shows all tools.
    pub(crate) async fn list(&self) -> Result<(), String> {
        let list = self.gateway.tools().await.map_err(told)?;
        for tool in &list.tools {
            self.terminal.say(&tool.qualified_name);
        }
        self.terminal.say(format_args!("{} tools", list.total));
        Ok(())
    }
}

impl Toolbox for RestToolbox {
    async fn search(&mut self, query: &str, limit: usize) -> Result<Vec<FoundTool>, String> {
        let request = SearchRequest::new(query).with_limit(limit);
        let reply = self.gateway.search(&request).await.map_err(told)?;
        let found = reply.result.into_iter().map(|tool| {
            let (name, description) = (tool.qualified_name, tool.description);
            Ok(FoundTool { name, description, input_schema: read(&tool.input_schema)?, score: tool.match_score })
        });
        found.collect()
    }

    async fn execute(&mut self, tool: &str, arguments: Map<String, Value>) -> Result<Value, String> {
        let call = ToolCall::new(tool).with_arguments(&arguments).map_err(told)?;
        // Dropping the events, as Ctrl-C does, cancels the call.
        let mut events = self.gateway.execute_stream(&call).await.map_err(told)?;
        while let Some(event) = events.next().await.map_err(told)? {
            match event {
                CallEvent::Progress(params) => self.terminal.say(text_of_progress(&read(&params)?)),
                CallEvent::Log(params) => self.terminal.say(text_of_log(&read(&params)?)),
                CallEvent::Result(reply) => return read(&reply.result.call_tool_result),
                // What a newer gateway may tell besides.
                _ => {}
            }
        }
        Err("the gateway ended the call without a result".to_owned())
    }
}

/// The client hands over what servers wrote as it is.
fn read(raw: &RawValue) -> Result<Value, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("the server's JSON cannot be read: {error}"))
}
