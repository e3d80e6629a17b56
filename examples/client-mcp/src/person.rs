//! What servers may ask: the person for input, and the model for an answer.
#![expect(deprecated, reason = "sampling is deprecated since 2026-07-28, and servers that use it are still about")]

use std::sync::Arc;

use chat_model::{ChatModel, Conversation, Message};
use chat_terminal::{Terminal, form};
use rmcp::ErrorData;
use rmcp::RoleClient;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationCapability, ErrorCode, FormElicitationCapability, Implementation,
    ProtocolVersion, Role, SamplingCapability, SamplingMessage, SamplingMessageContentBlock, UrlElicitationCapability,
};
use rmcp::service::RequestContext;
use serde_json::Value;
use tokio::sync::Mutex;

/// The code by which clients say that their user does not want to (MCP, "Sampling", error handling).
const DECLINED: ErrorCode = ErrorCode(-1);

/// The person at the terminal, and the model that works for them.
#[derive(Debug)]
pub(crate) struct Person {
    terminal: Terminal,
    model: Option<Arc<ChatModel>>,
    /// Servers may ask several things at once; a person answers one after the other.
    attention: Mutex<()>,
}

impl Person {
    pub(crate) fn new(terminal: Terminal, model: Option<Arc<ChatModel>>) -> Self {
        Self { terminal, model, attention: Mutex::default() }
    }

    /// Fills in a form, which may be declined.
    async fn fill(&self, message: &str, schema: &Value) -> ElicitResult {
        self.terminal.say(format_args!("the server asks: {message}"));
        match self.terminal.ask("answer? [Y, n to decline] ").await {
            None => ElicitResult::new(ElicitationAction::Cancel),
            Some(answer) if answer.trim().to_lowercase().starts_with('n') => {
                ElicitResult::new(ElicitationAction::Decline)
            }
            Some(_) => match form::fill(&self.terminal, schema).await {
                Some(filled) => ElicitResult::new(ElicitationAction::Accept).with_content(filled.into()),
                None => ElicitResult::new(ElicitationAction::Cancel),
            },
        }
    }
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        let (form, url) = (FormElicitationCapability::new(), UrlElicitationCapability::new());
        capabilities.elicitation = Some(ElicitationCapability::new().with_form(form).with_url(url));
        // Without a model nothing is promised.
        capabilities.sampling = self.model.as_ref().map(|_| SamplingCapability::default());
        let client = Implementation::new("client-mcp", env!("CARGO_PKG_VERSION"));
        // What `initialize` names; `server/discover` has its own.
        ClientConfig::new(capabilities, client).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let _attention = self.attention.lock().await;
        match request {
            ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
                let schema = serde_json::to_value(requested_schema);
                let schema = schema.map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
                Ok(self.fill(&message, &schema).await)
            }
            // It is opened by the person, never by a program: the address is the server's.
            ElicitRequestParams::UrlElicitationParams { message, url, .. } => {
                self.terminal.say(format_args!("the server asks you to open a page: {message}\n  {url}"));
                let is_done = self.terminal.agrees("will you?").await;
                Ok(ElicitResult::new(if is_done { ElicitationAction::Accept } else { ElicitationAction::Decline }))
            }
            _ => Ok(ElicitResult::new(ElicitationAction::Decline)),
        }
    }

    async fn create_message(
        &self,
        request: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let Some(model) = &self.model else {
            return Err(ErrorData::new(DECLINED, "this client has no language model", None));
        };
        let conversation = conversation(request)?;
        let attention = self.attention.lock().await;
        self.terminal.say("the server wants to ask the model:");
        for message in &conversation.messages {
            self.terminal.say(format_args!("  {}", text_of(message)));
        }
        if !self.terminal.agrees("may it?").await {
            return Err(ErrorData::new(DECLINED, "the user declined", None));
        }
        drop(attention);
        let turn =
            model.turn(&conversation, &[]).await.map_err(|why| ErrorData::internal_error(why.to_string(), None))?;
        let reason = match turn.is_cut_off {
            true => CreateMessageResult::STOP_REASON_END_MAX_TOKEN,
            false => CreateMessageResult::STOP_REASON_END_TURN,
        };
        let message = SamplingMessage::assistant_text(turn.text);
        Ok(CreateMessageResult::new(message, model.name().to_owned()).with_stop_reason(reason))
    }
}

/// What a server wants to be asked, for our model.
fn conversation(request: CreateMessageRequestParams) -> Result<Conversation, ErrorData> {
    let mut conversation = Conversation::new(request.system_prompt.unwrap_or_default());
    conversation.max_tokens = Some(request.max_tokens);
    for message in request.messages {
        let mut text = String::new();
        for part in message.content.into_vec() {
            let SamplingMessageContentBlock::Text(part) = part else {
                return Err(ErrorData::invalid_params("this client's model is given text only", None));
            };
            text.push_str(&part.text);
        }
        match message.role {
            Role::Assistant => conversation.say_as_model(&text),
            _ => conversation.say(text),
        }
    }
    Ok(conversation)
}

fn text_of(message: &Message) -> String {
    match message {
        Message::User(text) => text.clone(),
        Message::Model(message) => format!("(the model:) {}", message["content"].as_str().unwrap_or_default()),
        Message::Results(_) => String::new(),
    }
}
