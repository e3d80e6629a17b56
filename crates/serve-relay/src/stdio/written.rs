//! A body that tells when it has been handed over.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

/// A message as the body of a request.
#[derive(Debug)]
pub(super) struct Written {
    text: Option<Bytes>,
    /// Cancelled when a connection has taken it.
    taken: CancellationToken,
}

impl Written {
    pub(super) fn new(text: Bytes, taken: CancellationToken) -> Self {
        Self { text: Some(text), taken }
    }
}

impl Body for Written {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.taken.cancel();
        Poll::Ready(self.text.take().map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }
}
