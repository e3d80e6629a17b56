//! The loop: the model calls functions until it has an answer.

use crate::{CallResult, ChatModel, Conversation, Functions, Message, ModelError};

/// Most turns of one answer: a model that goes on is lost, and each turn costs money.
const MAX_ROUNDS: usize = 20;

impl ChatModel {
    /// Lets the model call `functions` until it answers, and returns the answer. All of it becomes part of the
    /// conversation; when something goes wrong, the conversation is what it was before its last message, so that
    /// it can go on.
    ///
    /// # Errors
    /// Any of [`ModelError`].
    pub async fn answer(
        &self,
        conversation: &mut Conversation,
        functions: &mut impl Functions,
    ) -> Result<String, ModelError> {
        let before = conversation.messages.len().saturating_sub(1);
        let answered = self.call_until_done(conversation, functions).await;
        if answered.is_err() {
            conversation.messages.truncate(before);
        }
        answered
    }

    async fn call_until_done(
        &self,
        conversation: &mut Conversation,
        functions: &mut impl Functions,
    ) -> Result<String, ModelError> {
        let declarations = functions.declarations();
        for _ in 0..MAX_ROUNDS {
            let turn = self.turn(conversation, &declarations).await?;
            if turn.is_cut_off {
                return Err(ModelError::TooLong);
            }
            conversation.messages.push(Message::Model(turn.message));
            if turn.calls.is_empty() {
                return Ok(turn.text);
            }
            // One after the other: a person reads along, and may be asked something on the way.
            let mut results = Vec::new();
            for call in &turn.calls {
                let outcome = match declarations.iter().any(|function| function.name == call.name) {
                    true => functions.call(call).await,
                    false => Err(format!("there is no function `{}`", call.name)),
                };
                results.push(CallResult { id: call.id.clone(), outcome });
            }
            conversation.messages.push(Message::Results(results));
        }
        Err(ModelError::TooManyRounds(MAX_ROUNDS))
    }
}
