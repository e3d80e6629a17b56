//! JSON that is written by hand, so that raw parts go in unchanged and large ones without copying.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use gateway_core::RawJson;
use hyper::body::{Frame, SizeHint};

/// A raw part of at least this many bytes becomes a chunk of its own; a smaller one is copied, since a
/// chunk costs a system call's vector and an atomic count.
const CHUNK_MIN: usize = 16 * 1024;

/// A JSON text under construction.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    done: VecDeque<Bytes>,
    open: BytesMut,
}

impl JsonText {
    /// An empty text with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { done: VecDeque::new(), open: BytesMut::with_capacity(capacity) }
    }

    /// Adds JSON syntax as it stands.
    pub(crate) fn syntax(&mut self, text: &str) -> &mut Self {
        self.open.put_slice(text.as_bytes());
        self
    }

    /// Adds a JSON string.
    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            self.open.put_u8(b'"');
            self.open.put_slice(text.as_bytes());
            self.open.put_u8(b'"');
        } else {
            let quoted = serde_json::to_string(text).expect("a string is always JSON");
            self.open.put_slice(quoted.as_bytes());
        }
        self
    }

    /// Adds a raw value, byte for byte.
    pub(crate) fn raw(&mut self, raw: &RawJson) -> &mut Self {
        self.part(raw.as_bytes(), raw.as_bytes())
    }

    /// Adds `part`, which lies in `whole`, byte for byte.
    pub(crate) fn part(&mut self, whole: &Bytes, part: &[u8]) -> &mut Self {
        if part.len() < CHUNK_MIN {
            self.open.put_slice(part);
        } else {
            self.done.push_back(self.open.split().freeze());
            self.done.push_back(whole.slice_ref(part));
        }
        self
    }

    /// The text as a response body of known length.
    pub(crate) fn into_body(self) -> Body {
        let mut chunks = self.done;
        if chunks.is_empty() {
            return Body::from(self.open.freeze());
        }
        chunks.push_back(self.open.freeze());
        chunks.retain(|chunk| !chunk.is_empty());
        let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Body::new(Chunks { chunks, left })
    }

    /// The text in one piece.
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.done.is_empty() {
            return self.open.freeze();
        }
        let length = self.done.iter().map(Bytes::len).sum::<usize>() + self.open.len();
        let mut whole = BytesMut::with_capacity(length);
        for chunk in self.done {
            whole.put_slice(&chunk);
        }
        whole.put_slice(&self.open);
        whole.freeze()
    }
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
    use super::*;

    #[tokio::test]
    async fn small_and_large_parts_come_out_in_order() {
        let large = RawJson::parse(format!("[{}]", "1,".repeat(CHUNK_MIN) + "1")).expect("valid");
        let small = RawJson::parse("{ \"a\" : 1e2 }").expect("valid");
        let build = || {
            let mut text = JsonText::with_capacity(16);
            text.syntax("{\"s\":").raw(&small).syntax(",\"l\":").raw(&large).syntax(",\"t\":");
            text.string("a\"b\n\u{1}é").syntax("}");
            text
        };
        let expected = format!("{{\"s\":{},\"l\":{},\"t\":\"a\\\"b\\n\\u0001é\"}}", small.as_str(), large.as_str());
        assert_eq!(build().into_bytes(), expected);
        let body = build().into_body();
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(expected.len() as u64));
        assert_eq!(axum::body::to_bytes(body, usize::MAX).await.expect("infallible"), expected);
    }
}
