//! What came of a request.

use crate::wire::{Message, member};

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Notifications and questions before the answer, in their order.
    pub before: Vec<Message>,
    /// `None` where the client was told that there is no answer.
    pub outcome: Option<Result<String, String>>,
    /// The HTTP status of the last answer.
    pub status: u16,
    /// How often it was sent.
    pub rounds: usize,
}

impl Told {
    /// The result; fails where there is none.
    #[track_caller]
    pub fn result(&self) -> String {
        match &self.outcome {
            Some(Ok(result)) => result.clone(),
            other => panic!("no result: {other:?}"),
        }
    }

    /// The error object; fails where there is none.
    #[track_caller]
    pub fn error(&self) -> serde_json::Value {
        match &self.outcome {
            Some(Err(error)) => serde_json::from_str(error).unwrap(),
            other => panic!("no error: {other:?}"),
        }
    }

    /// A member of the result as it stands there.
    #[track_caller]
    pub fn member(&self, name: &str) -> String {
        let result = self.result();
        member(&result, name).unwrap_or_else(|| panic!("no {name} in {result}"))
    }

    /// The text of a result with one text.
    #[track_caller]
    pub fn text(&self) -> String {
        let result: serde_json::Value = serde_json::from_str(&self.result()).unwrap();
        result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}")).to_owned()
    }

    /// The questions that came before the answer.
    pub fn questions(&self) -> impl Iterator<Item = &Message> {
        self.before.iter().filter(|message| message.id.is_some())
    }

    /// The notifications of one method that came before the answer.
    pub fn notified(&self, method: &str) -> Vec<&Message> {
        self.before.iter().filter(|message| message.id.is_none() && message.is(method)).collect()
    }
}

/// The id of the subscription that a notification belongs to.
pub fn subscription_of(message: &Message) -> Option<String> {
    member(&member(&message.params, "_meta")?, "io.modelcontextprotocol/subscriptionId")
}
