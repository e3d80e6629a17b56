//! What servers say of their own accord, on its way to the doors of the sessions that hold them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Notification, Question};

/// Something that a session's server says outside of any request.
#[derive(Debug)]
pub enum SessionEvent {
    /// A notification: a log message, a resource that changed.
    Notification {
        /// The server's name.
        server: Arc<str>,
        /// The server's identity.
        server_uuid: Uuid,
        /// What it says.
        notification: Notification,
    },
    /// A question for the one client that uses this session.
    Question(Question),
}

/// Receives what a session's servers say, until it is dropped. What does not fit is lost.
#[derive(Debug)]
pub struct SessionEvents(pub(super) mpsc::Receiver<SessionEvent>);

impl SessionEvents {
    /// The next event; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        self.0.recv().await
    }

    /// The next event, for a caller that polls.
    pub fn poll_next(&mut self, task: &mut std::task::Context<'_>) -> std::task::Poll<Option<SessionEvent>> {
        self.0.poll_recv(task)
    }
}

/// Those who hear the servers of one session.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    hearers: Mutex<Vec<Hearer>>,
}

#[derive(Debug)]
struct Hearer {
    sender: mpsc::Sender<SessionEvent>,
    answers: bool,
}

impl Audience {
    /// One more hearer; `capacity` events may wait for it. One that `answers` gets questions, too, while it
    /// is the only one.
    pub(super) fn join(&self, capacity: usize, answers: bool) -> SessionEvents {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let mut hearers = self.lock();
        hearers.retain(|hearer| !hearer.sender.is_closed());
        hearers.push(Hearer { sender, answers });
        SessionEvents(receiver)
    }

    pub(super) fn hear(&self, server: &str, server_uuid: Uuid, notification: &Notification) {
        let mut hearers = self.lock();
        if hearers.is_empty() {
            return;
        }
        let server: Arc<str> = server.into();
        hearers.retain(|hearer| {
            let (server, notification) = (Arc::clone(&server), notification.clone());
            let event = SessionEvent::Notification { server, server_uuid, notification };
            !matches!(hearer.sender.try_send(event), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }

    /// Hands a question to the only hearer, where it answers; else drops it.
    pub(super) fn ask(&self, question: Question) {
        let mut hearers = self.lock();
        hearers.retain(|hearer| !hearer.sender.is_closed());
        if let [only] = hearers.as_slice()
            && only.answers
        {
            // Where there is no room, the question is dropped, which is an answer as well.
            let _ = only.sender.try_send(SessionEvent::Question(question));
        }
    }

    /// Ends what all hearers receive.
    pub(super) fn end(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Hearer>> {
        self.hearers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
