//! When a silent stream should say that it is there, and when lists may have changed: one clock for all streams.

use std::fmt;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio_util::sync::ReusableBoxFuture;

use crate::core::Pulse;

/// One stream's ear at the door's pulse.
pub(crate) struct Beat {
    seen: Pulse,
    next: ReusableBoxFuture<'static, Option<watch::Receiver<Pulse>>>,
}

async fn changed(mut pulse: watch::Receiver<Pulse>) -> Option<watch::Receiver<Pulse>> {
    pulse.changed().await.is_ok().then_some(pulse)
}

impl Beat {
    pub(crate) fn new(pulse: watch::Receiver<Pulse>) -> Self {
        let seen = *pulse.borrow();
        Self { seen, next: ReusableBoxFuture::new(changed(pulse)) }
    }

    /// Ready when a comment is due. The clock of all streams is one, so the first wait is shorter.
    pub(crate) fn poll_beat(&mut self, task: &mut Context<'_>) -> Poll<()> {
        loop {
            let before = self.seen;
            std::task::ready!(self.poll_change(task));
            if self.seen.beats != before.beats {
                return Poll::Ready(());
            }
        }
    }

    /// Ready when anything has changed.
    pub(crate) fn poll_change(&mut self, task: &mut Context<'_>) -> Poll<Pulse> {
        match std::task::ready!(self.next.poll(task)) {
            Some(mut pulse) => {
                self.seen = *pulse.borrow_and_update();
                self.next.set(changed(pulse));
                Poll::Ready(self.seen)
            }
            // The door is gone; whatever the stream is for will end it.
            None => {
                self.next.set(std::future::pending());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beat").field("seen", &self.seen).finish_non_exhaustive()
    }
}
