//! A response body of several chunks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use answer_json::JsonText;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// A text as a response body of known length.
pub(crate) fn body(text: JsonText) -> Body {
    let mut chunks = text.into_chunks();
    if chunks.len() <= 1 {
        return Body::from(chunks.pop_front().unwrap_or_default());
    }
    let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    Body::new(Chunks { chunks, left })
}

#[derive(Debug)]
struct Chunks {
    chunks: VecDeque<Bytes>,
    left: u64,
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        if let Some(chunk) = &chunk {
            self.left -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::RawJson;

    use super::*;

    #[tokio::test]
    async fn a_body_is_the_text_and_knows_its_length() {
        let large = RawJson::parse(format!("[{}1]", "1,".repeat(100_000))).expect("valid");
        for raw in [RawJson::empty_object(), large] {
            let mut text = JsonText::default();
            text.syntax("{\"a\":").raw(&raw).syntax("}");
            let expected = format!("{{\"a\":{}}}", raw.as_str());
            let body = body(text);
            assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(expected.len() as u64));
            assert_eq!(axum::body::to_bytes(body, usize::MAX).await.expect("infallible"), expected);
        }
    }
}
