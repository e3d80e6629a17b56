//! The live log: what happens, as server-sent events of rows that are written already.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use gateway_core::{Error, ErrorKind, UsageEvent, UsageEventKind};
use http::{HeaderValue, StatusCode};
use http_server::Caller;
use maud::{Markup, html};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until, timeout};

use crate::answer::of_type;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{bytes, clock, short, took};
use crate::parts::{Tone, badge};

/// Rows go out at most so often, all that have come meanwhile together: a page need not draw faster than people read.
const PAUSE: Duration = Duration::from_millis(100);

/// Most rows in one piece.
const MAX_ROWS: usize = 100;

/// The stream. It ends when the gateway begins to stop, and the page comes back by itself.
pub(crate) fn stream(asked: Asked<'_>) -> Result<Response, Failure> {
    let Some(usage) = &asked.behind.usage else {
        return Err(
            Error::new(ErrorKind::NotFound, "usage is not counted (usage.enabled), so there is no live log").into()
        );
    };
    let log = Log {
        events: usage.live(),
        caller: asked.caller,
        keep_alive: asked.behind.config.keep_alive(),
        next_at: Instant::now(),
        begun: false,
    };
    let pieces = stream::unfold(log, |mut log| async move {
        let piece = log.piece().await?;
        Some((Ok::<_, Infallible>(piece), log))
    });
    let mut response = of_type(StatusCode::OK, "text/event-stream", Body::from_stream(pieces));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Log {
    events: Receiver<Arc<UsageEvent>>,
    caller: Caller,
    keep_alive: Duration,
    next_at: Instant,
    begun: bool,
}

impl Log {
    /// The next piece; `None` where the stream ends.
    async fn piece(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some("event: open\ndata:\n\n".to_owned());
        }
        let draining = self.caller.draining();
        tokio::select! {
            biased;
            () = draining.cancelled() => None,
            piece = self.rows() => piece,
        }
    }

    async fn rows(&mut self) -> Option<String> {
        sleep_until(self.next_at).await;
        let mut piece = String::new();
        match timeout(self.keep_alive, self.events.recv()).await {
            Err(_) => return Some(": still here\n\n".to_owned()),
            Ok(Ok(event)) => frame(&mut piece, "row", row(&event)),
            Ok(Err(RecvError::Lagged(missed))) => frame(&mut piece, "missed", html! { (missed) }),
            Ok(Err(RecvError::Closed)) => return None,
        }
        for _ in 1..MAX_ROWS {
            match self.events.try_recv() {
                Ok(event) => frame(&mut piece, "row", row(&event)),
                Err(TryRecvError::Lagged(missed)) => frame(&mut piece, "missed", html! { (missed) }),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.next_at = Instant::now() + PAUSE;
        Some(piece)
    }
}

/// Writes one event. A line end in the markup would end it early.
fn frame(piece: &mut String, name: &str, markup: Markup) {
    let text = markup.into_string().replace('\n', "&#10;").replace('\r', "&#13;");
    piece.push_str("event: ");
    piece.push_str(name);
    piece.push_str("\ndata: ");
    piece.push_str(&text);
    piece.push_str("\n\n");
}

fn row(event: &UsageEvent) -> Markup {
    let tone = match event.outcome {
        "ok" => Tone::Good,
        "cancelled" => Tone::Quiet,
        "tool_error" => Tone::Warning,
        _ => Tone::Bad,
    };
    html! {
        tr data-outcome=(event.outcome) {
            td.at { (clock(event.at, "time")) }
            td.door { (event.door) }
            td.what { (what(&event.what)) @if let Some(error) = &event.error { span.error { (error) } } }
            td.who { (event.caller) @if let Some(id) = &event.session_id { span.session title="session" { (shortened(id)) } } }
            td.outcome { (badge(tone, event.outcome)) }
            td.number.took { (took(event.took)) }
        }
    }
}

fn what(kind: &UsageEventKind) -> Markup {
    match kind {
        UsageEventKind::Call { server, tool, request_bytes, response_bytes } => html! {
            span.key { (server) "/" (tool) }
            span.sizes { (bytes(*request_bytes)) " → " (bytes(*response_bytes)) }
        },
        UsageEventKind::Search { query, matches, best_score } => html! {
            span.query { "search “" (query) "”" }
            span.sizes { (matches) " found" @if *matches > 0 { ", best " (short(f64::from(*best_score))) } }
        },
    }
}

/// The beginning of a session's id: enough to tell sessions apart, too little to use one.
fn shortened(id: &str) -> String {
    id.chars().take(12).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_row_is_one_line_of_harmless_markup() {
        let event = UsageEvent {
            at: SystemTime::UNIX_EPOCH,
            request_id: "r".to_owned(),
            door: "mcp",
            caller: "<i>me".to_owned(),
            session_id: Some("sess_0123456789abcdef".to_owned()),
            what: UsageEventKind::Search {
                query: "x\n\nevent: row\ndata: <script>".to_owned(),
                matches: 2,
                best_score: 0.5,
            },
            outcome: "upstream_failed",
            error: Some("a\rb<img>".to_owned()),
            took: Duration::from_micros(1500),
        };
        let mut piece = String::new();
        frame(&mut piece, "row", row(&event));
        assert_eq!(piece.lines().count(), 3, "{piece}");
        assert!(
            piece.starts_with("event: row\ndata: <tr data-outcome=\"upstream_failed\">")
                && piece.ends_with("</tr>\n\n"),
            "{piece}"
        );
        for bad in ["<script", "<i>", "<img", "\r", "89abcdef"] {
            assert!(!piece.contains(bad), "{bad}: {piece}");
        }
        assert!(piece.contains(">00:00:00</time>") && piece.contains("1.5 ms"), "{piece}");
    }
}
