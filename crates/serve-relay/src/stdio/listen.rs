//! Hearing what the gateway says of its own accord, in a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answer, Refusal};
use super::relay::Relay;
use super::session::Session;

/// Shortest and longest wait before a stream is opened again.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A stream that lasted so long was a good one: the next wait is short again.
const GOOD_STREAM: Duration = Duration::from_secs(20);

/// How a stream came to its end.
enum End {
    /// The gateway does not offer it.
    NotOffered,
    /// The gateway does not know the session any more.
    Lost,
    /// It could not be opened, for now.
    Failed,
    /// It has what cannot be read, and must not be taken up there again.
    Unreadable,
    /// It was open for this long, and can be taken up after an event.
    Broken { lasted: Duration, last_event_id: Option<String>, retry: Option<Duration> },
}

impl Relay {
    /// Starts to pass on what the gateway says in this session, for as long as the session lasts, if
    /// nobody does so yet.
    pub(super) fn listen(self: &Arc<Self>, session: &Arc<Session>) {
        if !session.begin_to_hear() {
            return;
        }
        let (relay, session) = (Arc::clone(self), Arc::clone(session));
        let ended = session.ended.clone();
        self.background.spawn(ended.run_until_cancelled_owned(async move { relay.keep_listening(&session).await }));
    }

    async fn keep_listening(self: &Arc<Self>, session: &Arc<Session>) {
        let (shortest, longest) = DELAYS;
        let mut delay = shortest;
        let mut resume_after: Option<String> = None;
        let mut was_open = false;
        loop {
            match self.hear(session, resume_after.as_deref(), was_open).await {
                End::NotOffered => return,
                End::Lost => return self.reopen_beside(session),
                End::Failed => delay = (delay * 2).min(longest),
                End::Unreadable => {
                    resume_after = None;
                    delay = (delay * 2).min(longest);
                }
                End::Broken { lasted, last_event_id, retry } => {
                    was_open = true;
                    resume_after = last_event_id.or(resume_after);
                    delay = match (retry, lasted >= GOOD_STREAM) {
                        (Some(retry), _) => retry.clamp(shortest, longest),
                        (None, true) => shortest,
                        (None, false) => (delay * 2).min(longest),
                    };
                }
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Opens a stream and passes it on to its end.
    async fn hear(&self, session: &Session, resume_after: Option<&str>, was_open: bool) -> End {
        let Ok(request) = self.get(session, resume_after) else { return End::NotOffered };
        let response = match self.client.send(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(?error, "the gateway's stream cannot be opened");
                return End::Failed;
            }
        };
        let status = response.status();
        if !status.is_success() {
            let refusal = Refusal::read(response).await;
            tracing::debug!(%status, "the gateway offers no stream");
            // At the first attempt it says nothing of the session: many servers have no such stream and say so
            // oddly.
            let is_lost = was_open && session.has_id() && refusal.means_lost_session();
            return match () {
                () if is_lost => End::Lost,
                () if status.is_server_error() || status.as_u16() == 429 => End::Failed,
                () => End::NotOffered,
            };
        }
        let opened = Instant::now();
        let mut answer = Answer::new(response, self.config.max_message_bytes);
        if !answer.is_stream() {
            return End::NotOffered;
        }
        loop {
            match answer.next().await {
                Ok(Some(text)) => self.pass_on(text, &[]).await,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(?error, "the gateway's stream is closed");
                    return End::Unreadable;
                }
            }
        }
        End::Broken {
            lasted: opened.elapsed(),
            last_event_id: answer.last_event_id().map(str::to_owned),
            retry: answer.retry(),
        }
    }

    /// Opens a lost session anew in a task of its own: whoever listens ends with the lost one.
    fn reopen_beside(self: &Arc<Self>, lost: &Arc<Session>) {
        let (relay, lost) = (Arc::clone(self), Arc::clone(lost));
        self.background.spawn(async move {
            // Else the next request of the client tries it again.
            if let Some(Err(error)) = relay.stop.run_until_cancelled(relay.reopen(&lost)).await {
                tracing::warn!(?error, "the session cannot be opened anew yet");
            }
        });
    }
}
