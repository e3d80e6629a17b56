//! What is said to the chat on the command line.

use std::sync::Arc;

use chat_model::{ChatModel, ModelError};
use serde_json::{Map, Value};

/// The flags of a chat.
#[derive(Clone, Debug, clap::Args)]
pub struct ChatArguments {
    /// Does this and ends, for scripts: asks the model, or runs the tool that fits best.
    #[arg(long, value_name = "TEXT")]
    pub once: Option<String>,

    /// With --once and no model: the tool's arguments, a JSON object. Else they are asked for.
    #[arg(long, value_name = "JSON", requires = "once", value_parser = object)]
    pub args: Option<Map<String, Value>>,

    /// The language model. It needs OPENAI_API_KEY or ANTHROPIC_API_KEY; without one, you pick the tools.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
}

impl ChatArguments {
    /// The model that the environment has the key for.
    ///
    /// # Errors
    /// Where the settings cannot be used.
    pub fn chat_model(&self) -> Result<Option<Arc<ChatModel>>, ModelError> {
        Ok(ChatModel::from_environment(self.model.as_deref())?.map(Arc::new))
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON object: {error}"))
}
