//! Bodies on their way through the relay, piece by piece.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{LengthLimitError, Limited};
use http_server::BodyLimits;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A client's body on its way to the gateway. It fails where it is longer than the limit or takes longer than its
/// time.
pub(super) struct Upload {
    body: Limited<Body>,
    timeout: Pin<Box<Sleep>>,
}

/// The client's body did not come in time.
#[derive(Debug)]
pub(super) struct TooSlow;

impl Upload {
    pub(super) fn new(body: Body, limits: BodyLimits) -> Self {
        let timeout = Box::pin(tokio::time::sleep(Duration::from_millis(limits.timeout_ms)));
        Self { body: Limited::new(body, limits.bytes), timeout }
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(task) {
            return Poll::Ready(frame);
        }
        ready!(self.timeout.as_mut().poll(task));
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not arrive in time")
    }
}

impl StdError for TooSlow {}

/// What was wrong with the client's body, where that is why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    TooLarge,
    TooSlow,
}

impl BodyFault {
    /// Looks for it among the causes of `error`.
    pub(super) fn among_causes(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                return Some(Self::TooLarge);
            }
            if error.is::<TooSlow>() {
                return Some(Self::TooSlow);
            }
            cause = error.source();
        }
        None
    }
}

/// An answer of the gateway on its way to the client. Dropping it closes the connection to the gateway.
pub(super) struct Download {
    body: Incoming,
    /// The end of an answer that would never end: it ends well then.
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// The end of every answer: it breaks off then.
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Download {
    pub(super) fn new(body: Incoming, draining: Option<CancellationToken>, killed: CancellationToken) -> Self {
        let wait = |token: CancellationToken| Box::pin(token.cancelled_owned());
        Self { body, draining: draining.map(wait), killed: wait(killed) }
    }
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.killed.as_mut().poll(task).is_ready() {
            return Poll::Ready(Some(Err(io::Error::other("the relay is being stopped"))));
        }
        if this.draining.as_mut().is_some_and(|draining| draining.as_mut().poll(task).is_ready()) {
            return Poll::Ready(None);
        }
        Pin::new(&mut this.body).poll_frame(task).map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
