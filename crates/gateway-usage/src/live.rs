//! What happens, while it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use gateway_core::UsageEvent;
use tokio::sync::broadcast;

/// Events for who listens. While nobody does, none is made.
#[derive(Debug)]
pub(crate) struct Live {
    events: broadcast::Sender<Arc<UsageEvent>>,
    /// Whether somebody may listen. Asking the channel itself takes its lock.
    heard: AtomicBool,
}

impl Live {
    /// A slow listener may be so many events behind.
    pub(crate) fn new(capacity: usize) -> Self {
        // What a channel takes at most.
        let (events, _) = broadcast::channel(capacity.clamp(1, usize::MAX / 2));
        Self { events, heard: AtomicBool::new(false) }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<UsageEvent>> {
        let receiver = self.events.subscribe();
        self.heard.store(true, SeqCst);
        receiver
    }

    /// Sends an event, if somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> UsageEvent) {
        if !self.heard.load(SeqCst) {
            return;
        }
        if self.events.receiver_count() == 0 {
            self.heard.store(false, SeqCst);
            // Somebody may have come in between.
            if self.events.receiver_count() == 0 {
                return;
            }
            self.heard.store(true, SeqCst);
        }
        // Nobody there any more is no failure.
        let _ = self.events.send(Arc::new(event()));
    }
}
