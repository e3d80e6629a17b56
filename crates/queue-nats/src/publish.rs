//! How messages are published.

use std::sync::atomic::Ordering;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use gateway_core::{Error, ErrorKind, Result};

use crate::error::unavailable;
use crate::link::Link;

/// By this the broker knows a message that is published a second time.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Whether somebody was there to take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Yes,
    No,
}

impl Link {
    /// Publishes to a stream, and waits until it is safe there. A second time under the same id changes nothing, as long as
    /// the stream remembers (two minutes where nothing else is set).
    pub(crate) async fn store(&self, subject: &str, id: &str, mut headers: HeaderMap, payload: Bytes) -> Result<()> {
        headers.insert(MESSAGE_ID, line(id));
        let publishing = self.jetstream.publish_with_headers(subject.to_owned(), headers, payload).await;
        let confirming = publishing.map(PublishAckFuture::into_future).map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => too_large(self.client.max_payload()),
            _ => unavailable("publish")(error),
        })?;
        confirming.await.map(drop).map_err(unavailable("publish"))
    }

    /// Publishes to whoever listens on a subject. The server says at once where nobody does.
    ///
    /// There are no confirms for that. But a connection keeps its order: what the server has answered afterwards, it has
    /// seen after this; and where the connection was another one by then, it goes out again.
    pub(crate) async fn tell(&self, subject: &str, headers: HeaderMap, payload: Bytes) -> Result<Heard> {
        let statistics = self.client.statistics();
        loop {
            let connection = statistics.connects.load(Ordering::SeqCst);
            let inbox = self.client.new_inbox();
            let mut refusals = self.client.subscribe(inbox.clone()).await.map_err(unavailable("publish"))?;
            let telling =
                self.client.publish_with_reply_and_headers(subject.to_owned(), inbox, headers.clone(), payload.clone());
            telling.await.map_err(unavailable("publish"))?;
            // Anything that the server answers will do.
            self.requests.get_info().await.map_err(unavailable("publish"))?;
            let answer = refusals.next().now_or_never().flatten();
            if answer.is_some_and(|answer| answer.status == Some(StatusCode::NO_RESPONDERS)) {
                return Ok(Heard::No);
            }
            if statistics.connects.load(Ordering::SeqCst) == connection {
                return Ok(Heard::Yes);
            }
        }
    }
}

/// The request is larger than a message may be.
pub(crate) fn too_large(most: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the job is larger than NATS takes: its max_payload is {most} bytes"))
}

/// A text as a header may carry it: one line.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Makes headers of names and values.
pub(crate) fn headers<const N: usize>(pairs: [(&str, &str); N]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(name, line(value));
    }
    headers
}
