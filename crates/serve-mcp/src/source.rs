//! What comes out of a request or a subscription, message by message.

use std::fmt::Debug;
use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::beat::Beat;
use crate::core::Core;

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

    /// Whether its client has said that it wants no more of it.
    fn is_given_up(&self) -> bool {
        false
    }
}

/// The first piece of `source`. `None` at its end, and where the client `accepts_events` and there has been
/// silence for a whole period of the door's clock: then the stream should begin, since clients and proxies give
/// up what does not even send a head.
pub(crate) async fn first_piece(source: &mut dyn Source, core: &Core, accepts_events: bool) -> Option<Piece> {
    // The clock is that of all streams, so one beat alone may come at once.
    const BEATS: usize = 2;
    let (mut beat, mut beats) = (None, 0);
    poll_fn(|task| {
        if let Poll::Ready(piece) = source.poll_piece(task) {
            return Poll::Ready(piece);
        }
        if !accepts_events {
            return Poll::Pending;
        }
        let beat = beat.get_or_insert_with(|| Beat::new(core.pulse()));
        while beats < BEATS && beat.poll_beat(task).is_ready() {
            beats += 1;
        }
        if beats == BEATS { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}
