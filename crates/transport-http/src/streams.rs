//! Hearing what a server says of its own accord: the GET stream of the legacy era, and
//! `subscriptions/listen` of the modern one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Era, RawJson, UpstreamInfo};
use http::Request;
use http_body_util::Full;
use mcp_wire::{announces_tool_changes, listen_params};

use crate::answer::Kind;
use crate::link::Link;
use crate::speech::Speech;

/// Shortest and longest wait before a stream is opened again.
const DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A stream that lasted so long was a good one: the next wait is short again.
const GOOD_STREAM: Duration = Duration::from_secs(20);

/// How a stream came to its end.
enum End {
    /// The server does not offer it.
    NotOffered,
    /// It could not be opened, for now.
    Failed,
    /// It was open for this long, and can be taken up after an event, or from when it is asked.
    Broken { lasted: Duration, last_event_id: Option<String>, retry: Option<Duration> },
}

/// Starts the task that listens to a server, where it may have something to say.
pub(crate) fn start(link: &Arc<Link>, speech: &Arc<Speech>, info: &UpstreamInfo) {
    let subscription = listen_params(info);
    if info.era == Era::Modern && subscription.is_none() {
        return;
    }
    let tools_change = announces_tool_changes(info);
    let (link, speech) = (Arc::clone(link), Arc::clone(speech));
    let (tasks, listening) = (link.tasks.clone(), link.listening.clone());
    tasks.spawn(listening.run_until_cancelled_owned(async move {
        keep_listening(&link, &speech, subscription.as_ref(), tools_change).await;
    }));
}

async fn keep_listening(link: &Arc<Link>, speech: &Arc<Speech>, subscription: Option<&RawJson>, tools_change: bool) {
    let (shortest, longest) = DELAYS;
    let mut delay = shortest;
    let mut resume_after: Option<String> = None;
    let mut has_missed = false;
    loop {
        let after = resume_after.take();
        // What happened between two streams is only heard again where the server knows where we were.
        let catch_up = has_missed && after.is_none() && tools_change;
        match listen(link, speech, subscription, after.as_deref(), catch_up).await {
            End::NotOffered => return,
            End::Failed => delay = (delay * 2).min(longest),
            End::Broken { lasted, last_event_id, retry } => {
                has_missed = true;
                resume_after = last_event_id.or(after);
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

/// Opens a stream and hears it to its end.
async fn listen(
    link: &Arc<Link>,
    speech: &Arc<Speech>,
    subscription: Option<&RawJson>,
    resume_after: Option<&str>,
    catch_up: bool,
) -> End {
    // The ticket keeps the id from any other request while the stream lasts.
    let ticket = match subscription.map(|_| link.pending.register(None)).transpose() {
        Ok(ticket) => ticket,
        Err(_) => return End::NotOffered,
    };
    let request: Request<Full<Bytes>> = match (subscription, &ticket) {
        (Some(params), Some(ticket)) => speech.ask(ticket.id(), "subscriptions/listen", params, None, None),
        _ => speech.listen(resume_after),
    };
    let mut answer = match link.pool.send(request, || ()).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "the server's stream cannot be opened");
            return End::Failed;
        }
    };
    if !answer.status().is_success() {
        let status = answer.status();
        // Not even 404 means a lost session here: many servers have no such stream and say so oddly.
        let (error, _) = answer.refusal().await;
        tracing::debug!(%error, %status, "the server offers no stream");
        return if status.is_server_error() || status.as_u16() == 429 { End::Failed } else { End::NotOffered };
    }
    if !matches!(answer.kind(), Ok(Kind::EventStream)) {
        return End::NotOffered;
    }
    if catch_up {
        link.events.notified("notifications/tools/list_changed", RawJson::empty_object());
    }
    let opened = tokio::time::Instant::now();
    let mut parser = link.parser();
    while let Ok(Some(piece)) = answer.piece().await {
        parser.push(piece);
        loop {
            match link.next_event(&mut parser) {
                Ok(Some(text)) => {
                    let id = ticket.as_ref().map(mcp_wire::Ticket::id);
                    match link.sort(speech, &text, id, None) {
                        Ok(None) => {}
                        // The server refuses the subscription.
                        Ok(Some(Err(error))) => {
                            tracing::debug!(code = error.code, "no subscription");
                            return End::NotOffered;
                        }
                        // It has ended it.
                        Ok(Some(Ok(_))) => break,
                        Err(error) => tracing::debug!(%error, "an event cannot be read"),
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "a message of the server is too large; its stream is closed");
                    return End::Failed;
                }
            }
        }
    }
    End::Broken {
        lasted: opened.elapsed(),
        last_event_id: parser.last_event_id().map(str::to_owned),
        retry: parser.retry(),
    }
}
