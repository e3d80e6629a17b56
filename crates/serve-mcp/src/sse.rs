//! Writing server-sent events (WHATWG HTML, section 9.2), and the body that does it for a request whose stream
//! cannot be taken up again.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;

use crate::beat::Beat;
use crate::source::{Piece, Source};

/// What a silent stream says.
pub(crate) const COMMENT: &[u8] = b": still here\n\n";

/// As many bytes of events go out in one frame before others get their turn.
const PIECE: usize = 64 * 1024;

/// Appends one message as an event.
pub(crate) fn write_event(out: &mut Vec<u8>, id: Option<&str>, message: &[u8]) {
    out.reserve(message.len() + 48);
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(id.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"event: message\n");
    // A line end inside JSON is white space between its tokens; each line is a `data` of its own.
    for line in message.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Appends an event that only says where the stream begins, and how long to wait before taking it up again.
pub(crate) fn write_priming(out: &mut Vec<u8>, id: &str, retry: Option<Duration>) {
    let Some(retry) = retry else { return };
    let text = format!("id: {id}\nretry: {}\ndata: \n\n", retry.as_millis());
    out.extend_from_slice(text.as_bytes());
}

/// The body of a stream that ends with its connection.
#[derive(Debug)]
pub(crate) struct EventBody {
    /// What was polled before it was known that there is a stream.
    pub(crate) first: Option<Piece>,
    pub(crate) source: Option<Box<dyn Source>>,
    pub(crate) beat: Beat,
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let mut out = Vec::new();
        while out.len() < PIECE {
            let piece = match (this.first.take(), &mut this.source) {
                (Some(first), _) => Some(first),
                (None, None) => None,
                (None, Some(source)) => match source.poll_piece(task) {
                    Poll::Ready(piece) => piece,
                    Poll::Pending if out.is_empty() && this.beat.poll_beat(task).is_ready() => {
                        out.extend_from_slice(COMMENT);
                        break;
                    }
                    Poll::Pending if out.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                },
            };
            match piece {
                Some(Piece::Message(message)) => write_event(&mut out, None, &message),
                Some(Piece::Last { message, .. }) => {
                    this.source = None;
                    if let Some(message) = message {
                        write_event(&mut out, None, &message);
                    }
                }
                None => {
                    this.source = None;
                    break;
                }
            }
        }
        if out.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(Frame::data(out.into())))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_line_by_line() {
        let written = |id: Option<&str>, message: &str| {
            let mut out = Vec::new();
            write_event(&mut out, id, message.as_bytes());
            String::from_utf8(out).expect("text")
        };
        assert_eq!(written(None, "{}"), "event: message\ndata: {}\n\n");
        assert_eq!(written(Some("1-2"), "{\n\"a\":1}"), "id: 1-2\nevent: message\ndata: {\ndata: \"a\":1}\n\n");
    }
}
