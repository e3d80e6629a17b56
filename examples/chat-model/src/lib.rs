//! A language model that calls functions: OpenAI's API (and the many that speak it) or Anthropic's.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use chat_model::{Call, ChatModel, Conversation, Function, Functions};
//! use serde_json::json;
//!
//! struct Dice;
//!
//! impl Functions for Dice {
//!     fn declarations(&self) -> Vec<Function> {
//!         let parameters = json!({"type": "object", "properties": {"sides": {"type": "integer"}}});
//!         vec![Function { name: "roll".into(), description: "Rolls a die.".into(), parameters }]
//!     }
//!
//!     async fn call(&mut self, call: &Call) -> Result<String, String> {
//!         let sides = call.arguments["sides"].as_u64().ok_or("`sides` must be a number")?;
//!         Ok(format!("{sides}, the highest there is"))
//!     }
//! }
//!
//! // From OPENAI_API_KEY or ANTHROPIC_API_KEY; `None` where there is neither.
//! if let Some(model) = ChatModel::from_environment(None)? {
//!     let mut conversation = Conversation::new("You roll dice.");
//!     conversation.say("Roll one with six sides.");
//!     println!("{}", model.answer(&mut conversation, &mut Dice).await?);
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod anthropic;
mod chat_model;
mod conversation;
mod dialect;
mod error;
mod functions;
mod open_ai;

pub use chat_model::{Access, ChatModel, Provider};
pub use conversation::{Conversation, Message};
pub use dialect::Turn;
pub use error::ModelError;
pub use functions::{Call, CallResult, Function, Functions};
