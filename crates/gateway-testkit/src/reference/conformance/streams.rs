//! Event streams that a client can leave and come back to (SEP-1699).

use std::convert::Infallible;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame as BodyFrame;
use tokio::sync::{mpsc, watch};

use crate::reference::server::{Frame, lock};

/// Milliseconds that a client waits before it comes back.
const RETRY: u32 = 200;

/// The event streams of one session, for as long as the session.
#[derive(Debug, Default)]
pub(in crate::reference) struct Streams(Mutex<Vec<watch::Sender<Log>>>);

/// A place in a stream: what its event ids say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reference) struct Place {
    stream: usize,
    event: usize,
}

/// Everything that was to be sent on one stream.
#[derive(Debug, Default)]
struct Log {
    events: Vec<Bytes>,
    /// How many of them went before the server hung up.
    hung_up: Option<usize>,
    ended: bool,
}

/// The body of an answer over HTTP.
pub(in crate::reference) type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Streams {
    /// Opens a stream and returns its beginning. `write` keeps the log; whoever calls spawns it.
    pub(in crate::reference) fn open(
        &self,
        first: Frame,
        receiver: mpsc::UnboundedReceiver<Frame>,
    ) -> (Body, impl Future<Output = ()> + Send + use<>) {
        let (number, sender) = {
            let mut streams = lock(&self.0);
            let sender = watch::Sender::new(Log::default());
            streams.push(sender.clone());
            (streams.len() - 1, sender)
        };
        // An event without data, so that the client knows where it is before anything happens.
        let start = format!("id: {number}-0\nretry: {RETRY}\ndata: \n\n");
        sender.send_modify(|log| log.events.push(start.into()));
        let body = body(follow(sender.subscribe(), 0, Until::HungUp));
        (body, write(number, sender, first, receiver))
    }

    /// What follows the event `place`, to the answer.
    pub(in crate::reference) fn resume(&self, place: Place) -> Option<Body> {
        let log = lock(&self.0).get(place.stream)?.subscribe();
        let known = place.event < log.borrow().events.len();
        known.then(|| body(follow(log, place.event + 1, Until::Ended)))
    }
}

impl Place {
    /// Reads a `Last-Event-ID`.
    pub(in crate::reference) fn parse(id: &str) -> Option<Self> {
        let (stream, event) = id.split_once('-')?;
        Some(Self { stream: stream.parse().ok()?, event: event.parse().ok()? })
    }
}

/// Where a reader stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    HungUp,
    Ended,
}

async fn write(number: usize, log: watch::Sender<Log>, first: Frame, mut receiver: mpsc::UnboundedReceiver<Frame>) {
    let mut next = Some(first);
    while let Some(frame) = next {
        let is_last = matches!(frame, Frame::Answer { .. });
        log.send_modify(|log| match frame {
            Frame::HangUp => log.hung_up = Some(log.events.len()),
            Frame::Answer { message, .. } | Frame::Other(message) => {
                let mut event = format!("id: {number}-{}\nevent: message\ndata: ", log.events.len()).into_bytes();
                event.extend_from_slice(&message);
                event.extend_from_slice(b"\n\n");
                log.events.push(event.into());
            }
        });
        next = if is_last { None } else { receiver.recv().await };
    }
    log.send_modify(|log| log.ended = true);
}

fn follow(log: watch::Receiver<Log>, from: usize, until: Until) -> impl Stream<Item = Bytes> {
    stream::unfold((log, from), move |(mut log, next)| async move {
        let stops = |log: &Log| log.ended || (until == Until::HungUp && log.hung_up.is_some());
        let event = {
            let log = log.wait_for(|log| next < log.events.len() || stops(log)).await.ok()?;
            let end = log.hung_up.filter(|_| until == Until::HungUp).unwrap_or(log.events.len());
            log.events[..end].get(next).cloned()?
        };
        Some((event, (log, next + 1)))
    })
}

fn body(events: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures_util::StreamExt as _;
    StreamBody::new(events.map(|event| Ok(BodyFrame::data(event)))).boxed_unsync()
}
