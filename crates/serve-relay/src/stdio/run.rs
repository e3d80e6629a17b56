//! Serving one client from its first line to its last.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::outbox::{Outbox, write_lines};
use super::relay::Relay;
use crate::config::RelayConfig;

/// Lines that may wait while another one is sent on its way.
const READ_AHEAD: usize = 16;

/// Notifications of the client that may wait for those before them.
const MAX_ASIDES: usize = 256;

/// At the end, everything that is left has so long: the session is ended, and the last words are written.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// Carries the messages of one client, a line each on `input` and `output`, to the gateway and back, until the
/// input ends or `shutdown` is cancelled.
///
/// When the input ends, requests under way have [`RelayConfig::grace`] to be answered. Then the session at the
/// gateway is ended. Every request is answered, with an error where the gateway does not; only those that the
/// client itself has cancelled may not be. Nothing but JSON-RPC is written to `output`.
///
/// # Errors
/// Where the input cannot be read. A client that reads no more has gone: that is an end, and no error.
pub async fn stdio(
    config: RelayConfig,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (grace, limit) = (config.grace, config.max_message_bytes);
    let (outbox, lines) = Outbox::new();
    let relay = Relay::new(config, outbox);
    let mut writing = pin!(write_lines(output, lines));
    let mut input_ended = Ok(());

    let is_read = {
        let reading = async {
            let read = serve(&relay, Lines::new(input, limit)).await;
            relay.requests.close();
            relay.requests.wait().await;
            read
        };
        let overdue = async {
            relay.input_ended.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            biased;
            written = &mut writing => {
                tracing::debug!(error = ?written.err(), "the client reads no more");
                false
            }
            () = shutdown.cancelled() => true,
            read = reading => {
                input_ended = read;
                true
            }
            () = overdue => true,
        }
    };
    let closing = close(relay);
    let last_words = async {
        let written = async { if is_read { writing.await } else { Ok(()) } };
        tokio::join!(closing, written)
    };
    if timeout(LAST_WORDS, last_words).await.is_err() {
        tracing::debug!("the client did not read the last words");
    }
    input_ended
}

/// Takes every line until there is none.
async fn serve(relay: &Arc<Relay>, mut lines: Lines<impl AsyncRead + Unpin>) -> io::Result<()> {
    let (sender, mut waiting) = mpsc::channel(READ_AHEAD);
    let (aside, asides) = mpsc::channel(MAX_ASIDES);
    let reading = async move {
        let read = loop {
            match lines.next().await {
                Ok(Some(line)) => match sender.send(line).await {
                    Ok(()) => {}
                    Err(_) => break Ok(()),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        relay.input_ended.cancel();
        read
    };
    let taking = async move {
        while let Some(line) = waiting.recv().await {
            relay.take(line, &aside).await;
        }
    };
    let (read, (), ()) = tokio::join!(reading, taking, relay.deliver_asides(asides));
    read
}

/// Ends everything, and answers what waits.
async fn close(relay: Arc<Relay>) {
    relay.stop.cancel();
    relay.give_up().await;
    relay.leave().await;
    relay.requests.close();
    relay.requests.wait().await;
    // The connections are among these tasks; they end when nobody can use them.
    let background = relay.background.clone();
    drop(relay);
    background.close();
    background.wait().await;
}
