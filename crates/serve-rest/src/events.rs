//! A call's answer as a stream of server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut as _, Bytes, BytesMut};
use gateway_core::{Context, Notification, ToolCall};
use http::HeaderValue;
use http_server::{Caller, Refusal};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tracing::Instrument as _;

use crate::answer;
use crate::door::Door;
use crate::execute;
use crate::problem::Problem;

/// As many bytes of events go out in one piece before others get their turn.
const PIECE: usize = 64 * 1024;

/// Runs `call` while its answer is read: the future lives in the body, so a client that goes away drops it.
pub(crate) fn stream(
    door: Door,
    caller: Caller,
    context: Context,
    call: ToolCall,
    notifications: mpsc::Receiver<Notification>,
) -> Response {
    let period = door.config().event_keep_alive();
    let call = async move {
        let killed = caller.killed();
        let answered = tokio::select! {
            biased;
            answered = door.gateway.call(&context, call) => answered.map_err(Problem::from),
            () = killed.cancelled() => Err(Refusal::stopping().into()),
        };
        let mut event = BytesMut::new();
        match answered {
            Ok(reply) => {
                let answer = execute::write(&caller.request_id, caller.session_id.as_deref(), &reply);
                write_event(&mut event, "result", &answer.into_bytes());
            }
            Err(problem) => {
                problem.log(&caller.request_id);
                write_event(&mut event, "error", &problem.body(&caller.request_id));
            }
        }
        event.freeze()
    };
    let events = Events {
        call: Some(Box::pin(call.in_current_span())),
        notifications,
        last: None,
        period,
        silence: Box::pin(tokio::time::sleep(period)),
    };
    let mut response = answer::of_type("text/event-stream", Body::new(events));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The events of one call. Everything that was notified comes before the last event, which is the result.
struct Events {
    call: Option<Pin<Box<dyn Future<Output = Bytes> + Send>>>,
    notifications: mpsc::Receiver<Notification>,
    last: Option<Bytes>,
    period: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Events {
    /// The next notification that is there. Once the result is, too, there is no later poll, so tokio's budget,
    /// which makes a full channel look empty, must not count.
    fn next_notification(&mut self, task: &mut TaskContext<'_>) -> Option<Notification> {
        match self.notifications.poll_recv(task) {
            Poll::Ready(notification) => notification,
            Poll::Pending if self.call.is_none() => self.notifications.try_recv().ok(),
            Poll::Pending => None,
        }
    }
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        // The call first: whatever it notified by the time it is ready is in the channel then.
        if let Some(call) = &mut this.call
            && let Poll::Ready(last) = call.as_mut().poll(task)
        {
            this.call = None;
            this.last = Some(last);
        }
        let mut piece = BytesMut::new();
        while piece.len() < PIECE
            && let Some(notification) = this.next_notification(task)
        {
            if let Some(name) = name_of(&notification.method) {
                write_event(&mut piece, name, notification.params.as_bytes());
            }
        }
        let piece = if piece.is_empty() { this.last.take() } else { Some(piece.freeze()) };
        if let Some(piece) = piece {
            this.silence.as_mut().reset(Instant::now() + this.period);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if this.call.is_none() {
            return Poll::Ready(None);
        }
        std::task::ready!(this.silence.as_mut().poll(task));
        this.silence.as_mut().reset(Instant::now() + this.period);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b": still running\n\n")))))
    }

    fn is_end_stream(&self) -> bool {
        false
    }
}

/// The event that a notification becomes; others are no business of a REST client.
fn name_of(method: &str) -> Option<&'static str> {
    match method {
        "notifications/progress" => Some("progress"),
        "notifications/message" => Some("log"),
        _ => None,
    }
}

/// Writes one event. A line end in `data` (white space between JSON's tokens; in strings it is escaped)
/// begins a new `data:` line, since the stream's syntax knows no other way to have one.
fn write_event(out: &mut BytesMut, name: &str, data: &[u8]) {
    out.reserve(name.len() + data.len() + 32);
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    let mut rest = data;
    loop {
        out.put_slice(b"\ndata: ");
        let end = memchr::memchr2(b'\n', b'\r', rest);
        out.put_slice(&rest[..end.unwrap_or(rest.len())]);
        let Some(end) = end else { break };
        let is_pair = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + if is_pair { 2 } else { 1 }..];
    }
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use gateway_core::{Listener, RawJson};

    use super::*;

    #[test]
    fn frames_lines() {
        let check = |data: &str, expected: &str| {
            let mut out = BytesMut::new();
            write_event(&mut out, "log", data.as_bytes());
            assert_eq!(out, expected);
        };
        check("{}", "event: log\ndata: {}\n\n");
        check("{\n \"a\":\r\n1\r}", "event: log\ndata: {\ndata:  \"a\":\ndata: 1\ndata: }\n\n");
        check(r#""a\n\nevent: result""#, "event: log\ndata: \"a\\n\\nevent: result\"\n\n");
    }

    fn events(call: impl Future<Output = Bytes> + Send + 'static, capacity: usize) -> (Events, Listener) {
        let (listener, notifications) = Listener::channel(capacity);
        let period = Duration::from_secs(15);
        let silence = Box::pin(tokio::time::sleep(period));
        (Events { call: Some(Box::pin(call)), notifications, last: None, period, silence }, listener)
    }

    async fn next(events: &mut Events) -> Option<String> {
        let frame = std::future::poll_fn(|task| hyper::body::Body::poll_frame(Pin::new(&mut *events), task)).await;
        frame.map(|Ok(frame)| String::from_utf8(frame.into_data().expect("data").to_vec()).expect("UTF-8"))
    }

    fn notify(listener: &Listener, method: &str, params: &str) {
        let params = RawJson::parse(params.to_owned()).expect("JSON");
        assert!(listener.deliver(Notification { method: method.to_owned(), params }));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_notified_comes_before_the_result() {
        let (mut events, listener) = events(async { Bytes::from_static(b"event: result\ndata: 1\n\n") }, 8);
        notify(&listener, "notifications/progress", "1");
        notify(&listener, "notifications/other", "2");
        notify(&listener, "notifications/message", "3");
        assert_eq!(next(&mut events).await.as_deref(), Some("event: progress\ndata: 1\n\nevent: log\ndata: 3\n\n"));
        assert_eq!(next(&mut events).await.as_deref(), Some("event: result\ndata: 1\n\n"));
        assert_eq!(next(&mut events).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_lost_however_much_was_notified() {
        let (mut events, listener) = events(async { Bytes::from_static(b"event: result\ndata: 1\n\n") }, 1000);
        for _ in 0..1000 {
            notify(&listener, "notifications/progress", "1");
        }
        let mut told = String::new();
        while let Some(piece) = next(&mut events).await {
            told.push_str(&piece);
        }
        assert_eq!(told.matches("event: progress").count(), 1000);
        assert!(told.ends_with("event: result\ndata: 1\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_filled_with_comments() {
        let (mut events, listener) = events(std::future::pending(), 8);
        assert_eq!(next(&mut events).now_or_never(), None);
        let begin = Instant::now();
        assert_eq!(next(&mut events).await.as_deref(), Some(": still running\n\n"));
        assert_eq!(begin.elapsed().as_secs(), 15);
        notify(&listener, "notifications/progress", "1");
        assert_eq!(next(&mut events).await.as_deref(), Some("event: progress\ndata: 1\n\n"));
        assert_eq!(next(&mut events).await.as_deref(), Some(": still running\n\n"));
        assert_eq!(begin.elapsed().as_secs(), 30);
    }
}
