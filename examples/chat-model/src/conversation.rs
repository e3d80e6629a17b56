//! What has been said so far.

use serde_json::{Value, json};

use crate::CallResult;

/// A conversation with a model.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// What the model is told before all else; may be empty.
    pub system: String,
    /// What was said, in order.
    pub messages: Vec<Message>,
    /// The most tokens of one answer, where it is limited.
    pub max_tokens: Option<u32>,
}

/// One thing that was said.
#[derive(Clone, Debug)]
pub enum Message {
    /// By the user.
    User(String),
    /// By the model, as its provider wrote it. It goes back unchanged: it may hold thoughts that are signed.
    Model(Value),
    /// The results of the calls that the model made last.
    Results(Vec<CallResult>),
}

impl Conversation {
    /// A conversation in which nothing has been said yet.
    pub fn new(system: impl Into<String>) -> Self {
        Self { system: system.into(), ..Self::default() }
    }

    /// The user says something.
    pub fn say(&mut self, text: impl Into<String>) {
        self.messages.push(Message::User(text.into()));
    }

    /// The model has said something, in plain text.
    pub fn say_as_model(&mut self, text: &str) {
        self.messages.push(Message::Model(json!({ "role": "assistant", "content": text })));
    }
}
