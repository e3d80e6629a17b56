//! JSON that is written by hand, so that raw parts go in unchanged and large ones without copying.

use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};
use gateway_core::RawJson;

/// A raw part of at least this many bytes becomes a chunk of its own; a smaller one is copied, since a
/// chunk costs a system call's vector and an atomic count.
const CHUNK_MIN: usize = 16 * 1024;

/// A JSON text under construction.
#[derive(Debug, Default)]
pub struct JsonText {
    done: VecDeque<Bytes>,
    open: BytesMut,
}

impl JsonText {
    /// An empty text with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { done: VecDeque::new(), open: BytesMut::with_capacity(capacity) }
    }

    /// Adds JSON syntax as it stands.
    pub fn syntax(&mut self, text: &str) -> &mut Self {
        self.open.put_slice(text.as_bytes());
        self
    }

    /// Adds a JSON string.
    pub fn string(&mut self, text: &str) -> &mut Self {
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
    pub fn raw(&mut self, raw: &RawJson) -> &mut Self {
        self.part(raw.as_bytes(), raw.as_bytes())
    }

    /// Adds `part`, which lies in `whole`, byte for byte.
    pub fn part(&mut self, whole: &Bytes, part: &[u8]) -> &mut Self {
        if part.len() < CHUNK_MIN {
            self.open.put_slice(part);
        } else {
            self.done.push_back(self.open.split().freeze());
            self.done.push_back(whole.slice_ref(part));
        }
        self
    }

    /// How many bytes it has by now.
    pub fn length(&self) -> usize {
        self.done.iter().map(Bytes::len).sum::<usize>() + self.open.len()
    }

    /// Makes room for `bytes` more bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.open.reserve(bytes);
    }

    /// The text in pieces, none of them empty: large raw parts are what they were made from.
    pub fn into_chunks(self) -> VecDeque<Bytes> {
        let mut chunks = self.done;
        chunks.push_back(self.open.freeze());
        chunks.retain(|chunk| !chunk.is_empty());
        chunks
    }

    /// The text in one piece.
    pub fn into_bytes(self) -> Bytes {
        if self.done.is_empty() {
            return self.open.freeze();
        }
        let mut whole = BytesMut::with_capacity(self.length());
        for chunk in self.done {
            whole.put_slice(&chunk);
        }
        whole.put_slice(&self.open);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_parts_come_out_in_order() {
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
        let chunks = build().into_chunks();
        assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
        assert!(chunks.iter().any(|chunk| chunk.as_ptr() == large.as_bytes().as_ptr()), "a large part is not copied");
        assert_eq!(Vec::from(chunks).concat(), expected.as_bytes());
        assert_eq!(JsonText::default().into_chunks().len(), 0);
    }
}
