//! Event streams of legacy sessions, which a client may take up again where they broke off (2025-03-26 and
//! later, "Resumability and Redelivery").
//!
//! The events of a stream are numbered `STREAM-EVENT`, and the last ones are kept. When the connection breaks
//! off, whatever the stream is for waits unpolled for its client to come back, for a short while.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::time::Instant;

use crate::beat::Beat;
use crate::source::{Piece, Source};
use crate::sse;

/// Most events of one stream that are kept for a client that comes back.
const MAX_KEPT: usize = 256;

/// Most bytes of one stream that are kept.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// Most streams of one session that are kept after their end or without a client.
const MAX_STREAMS: usize = 64;

/// The number of the stream that belongs to no request.
const GENERAL: u64 = 0;

/// The streams of one session.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    last: AtomicU64,
    live: Mutex<Vec<Arc<Stream>>>,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    number: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    source: Option<Box<dyn Source>>,
    /// The last events, each with its number.
    sent: VecDeque<(u64, Bytes)>,
    sent_bytes: usize,
    last_event: u64,
    /// Rises with every client that takes the stream up; the one before ends.
    reader: u64,
    reader_task: Option<Waker>,
    /// When its client went away, or it ended.
    left_at: Option<Instant>,
}

impl Streams {
    /// A stream for a request.
    pub(crate) fn open(&self, source: Box<dyn Source>) -> Arc<Stream> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let stream = Arc::new(Stream::new(number, source));
        let mut live = self.lock();
        if live.len() >= MAX_STREAMS
            && let Some(oldest) = live.iter().position(|stream| stream.lock().left_at.is_some())
        {
            drop(live.remove(oldest));
        }
        live.push(Arc::clone(&stream));
        stream
    }

    /// The stream that belongs to no request, made by `source` where there is none.
    pub(crate) fn general(&self, source: impl FnOnce() -> Box<dyn Source>) -> Arc<Stream> {
        let mut live = self.lock();
        if let Some(stream) = live.iter().find(|stream| stream.number == GENERAL && !stream.is_ended()) {
            return Arc::clone(stream);
        }
        live.retain(|stream| stream.number != GENERAL);
        let stream = Arc::new(Stream::new(GENERAL, source()));
        live.push(Arc::clone(&stream));
        stream
    }

    /// The stream that an event id names, and the number of the event; `None` for an id that is none of ours, and
    /// for a stream that has ended with this event: told that there is nothing more, its client would ask for ever.
    pub(crate) fn find(&self, event_id: &str) -> Option<(Arc<Stream>, u64)> {
        let (number, event) = event_id.split_once('-')?;
        let (number, event): (u64, u64) = (number.parse().ok()?, event.parse().ok()?);
        let live = self.lock();
        let stream = live.iter().find(|stream| stream.number == number && stream.goes_on_after(event))?;
        Some((Arc::clone(stream), event))
    }

    /// Whether somebody reads the general stream.
    pub(crate) fn has_listener(&self) -> bool {
        self.lock().iter().any(|stream| stream.number == GENERAL && stream.lock().left_at.is_none())
    }

    /// Gives up what nobody came back for within `window`.
    pub(crate) fn tidy(&self, window: Duration) {
        let mut live = self.lock();
        if live.is_empty() {
            return;
        }
        let (over, left): (Vec<_>, Vec<_>) = live.drain(..).partition(|stream| {
            let left_at = stream.lock().left_at;
            // What the general stream would say is kept as long as the session lives.
            stream.number != GENERAL && left_at.is_some_and(|left_at| left_at.elapsed() >= window)
        });
        *live = left;
        drop(live);
        // Dropping a stream cancels what it is for.
        drop(over);
    }

    /// Ends the streams without a reader whose client wants no more of them: nobody polls these, so they do not
    /// notice.
    pub(crate) fn drop_given_up(&self) {
        let unread: Vec<_> = self.lock().iter().filter_map(|stream| stream.take_given_up()).collect();
        // Dropped here, without a lock: that cancels them.
        drop(unread);
    }

    pub(crate) fn end(&self) {
        let all = std::mem::take(&mut *self.lock());
        for stream in all {
            let mut state = stream.lock();
            let source = state.source.take();
            state.reader += 1;
            let reader = state.reader_task.take();
            drop(state);
            drop(source);
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Stream>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn new(number: u64, source: Box<dyn Source>) -> Self {
        let state = State {
            source: Some(source),
            sent: VecDeque::new(),
            sent_bytes: 0,
            last_event: 0,
            reader: 0,
            reader_task: None,
            left_at: None,
        };
        Self { number, state: Mutex::new(state) }
    }

    /// The body for a client that begins to read, or takes the stream up `after` an event. Whoever read it
    /// before reads no more.
    pub(crate) fn body(self: &Arc<Self>, after: Option<u64>, beat: Beat, retry: Option<Duration>) -> StreamBody {
        let mut state = self.lock();
        state.reader += 1;
        state.left_at = None;
        let before = state.reader_task.take();
        let reader = state.reader;
        let mut first = Vec::new();
        match after {
            // So that the client knows an event to come back after (2025-11-25, "Priming").
            None => sse::write_priming(&mut first, &self.event_id(state.last_event), retry),
            Some(after) => {
                for (_, event) in state.sent.iter().filter(|(number, _)| *number > after) {
                    first.extend_from_slice(event);
                }
            }
        }
        drop(state);
        if let Some(before) = before {
            before.wake();
        }
        StreamBody { stream: Arc::clone(self), reader, first: Some(first), beat, is_done: false }
    }

    fn take_given_up(&self) -> Option<Box<dyn Source>> {
        let mut state = self.lock();
        let is_over = state.left_at.is_some() && state.source.as_ref().is_some_and(|source| source.is_given_up());
        if is_over { state.source.take() } else { None }
    }

    fn event_id(&self, event: u64) -> String {
        format!("{}-{event}", self.number)
    }

    fn goes_on_after(&self, event: u64) -> bool {
        let state = self.lock();
        state.source.is_some() || state.last_event > event
    }

    fn is_ended(&self) -> bool {
        self.lock().source.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, number: u64, event: Bytes) {
        self.sent_bytes += event.len();
        self.sent.push_back((number, event));
        while self.sent.len() > MAX_KEPT || (self.sent_bytes > MAX_KEPT_BYTES && self.sent.len() > 1) {
            if let Some((_, old)) = self.sent.pop_front() {
                self.sent_bytes -= old.len();
            }
        }
    }
}

/// A stream as one connection reads it.
#[derive(Debug)]
pub(crate) struct StreamBody {
    stream: Arc<Stream>,
    reader: u64,
    first: Option<Vec<u8>>,
    beat: Beat,
    is_done: bool,
}

impl hyper::body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        if this.is_done {
            return Poll::Ready(None);
        }
        let stream = Arc::clone(&this.stream);
        let mut state = stream.lock();
        let is_reader = state.reader == this.reader;
        let Some(source) = state.source.as_mut().filter(|_| is_reader) else {
            this.is_done = true;
            return Poll::Ready(None);
        };
        let (message, is_last) = match source.poll_piece(task) {
            Poll::Pending => {
                state.reader_task = Some(task.waker().clone());
                drop(state);
                if this.beat.poll_beat(task).is_ready() {
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(sse::COMMENT)))));
                }
                return Poll::Pending;
            }
            Poll::Ready(Some(Piece::Message(message))) => (Some(message), false),
            Poll::Ready(Some(Piece::Last { message, .. })) => (message, true),
            Poll::Ready(None) => (None, true),
        };
        if is_last {
            state.source = None;
            state.left_at = Some(Instant::now());
            this.is_done = true;
        }
        let Some(message) = message else { return Poll::Ready(None) };
        state.last_event += 1;
        let number = state.last_event;
        let mut event = Vec::new();
        sse::write_event(&mut event, Some(&stream.event_id(number)), &message);
        let event = Bytes::from(event);
        state.keep(number, event.clone());
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        if state.reader == self.reader && state.left_at.is_none() {
            state.left_at = Some(Instant::now());
        }
    }
}
