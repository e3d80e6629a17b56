//! A transport that shows what servers tell on the way.

use chat_terminal::{Terminal, text_of_log, text_of_progress};
use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;

/// Any transport, with progress and log messages shown as they come in.
///
/// rmcp runs each notification's handler in a task of its own, so that there progress may come out of order and after
/// its result. Here the messages have the order of the wire.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    inner: T,
    terminal: Terminal,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, terminal: Terminal) -> Self {
        Self { inner, terminal }
    }

    fn show(&self, message: &RxJsonRpcMessage<RoleClient>) {
        let JsonRpcMessage::Notification(notification) = message else { return };
        let (params, text): (_, fn(&Value) -> String) = match &notification.notification {
            ServerNotification::ProgressNotification(it) => (serde_json::to_value(&it.params), text_of_progress),
            ServerNotification::LoggingMessageNotification(it) => (serde_json::to_value(&it.params), text_of_log),
            _ => return,
        };
        self.terminal.say(text(&params.unwrap_or_default()));
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Watched<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        self.show(&message);
        Some(message)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}
