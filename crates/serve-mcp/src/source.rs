//! What comes out of a request or a subscription, message by message.

use std::fmt::Debug;
use std::task::{Context, Poll};

/// One thing that a client hears.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A message before the last one: a notification, or a request of ours.
    Message(Vec<u8>),
    /// The end: the answer, with the HTTP status for it where it travels alone. No message where the client
    /// has cancelled and expects none.
    Last { status: u16, message: Option<Vec<u8>> },
}

/// Something that a client hears until it ends.
pub(crate) trait Source: Debug + Send {
    /// The next piece; `None` at the end.
    fn poll_piece(&mut self, task: &mut Context<'_>) -> Poll<Option<Piece>>;
}
