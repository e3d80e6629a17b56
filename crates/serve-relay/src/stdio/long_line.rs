//! A message that is too long to be kept: its id is found all the same, so that its sender hears of it.

use bytes::Bytes;
use mcp_wire::{Id, Message};

/// The longest name or id that is understood, in bytes.
const LONGEST: usize = 1024;

/// What is known of a message after reading it once, byte by byte, without keeping it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LongLine {
    /// Arrays and objects that are open.
    depth: usize,
    in_string: bool,
    after_backslash: bool,
    /// The name of the message's member that is being read, in quotes.
    name: Vec<u8>,
    /// What has been read of the name, or of a value that is no array or object.
    token: Vec<u8>,
    id: Option<Vec<u8>>,
    has_method: bool,
}

impl LongLine {
    /// Reads the next bytes.
    pub(super) fn read(&mut self, text: &[u8]) {
        for &byte in text {
            if self.in_string {
                self.keep(byte);
                self.in_string = byte != b'"' || self.after_backslash;
                self.after_backslash = byte == b'\\' && !self.after_backslash;
                continue;
            }
            match byte {
                b'"' => {
                    self.keep(byte);
                    self.in_string = true;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.end_member();
                    self.depth = self.depth.saturating_sub(1);
                }
                b':' if self.depth == 1 => self.name = std::mem::take(&mut self.token),
                b',' => self.end_member(),
                _ if byte.is_ascii_whitespace() => {}
                _ => self.keep(byte),
            }
        }
    }

    /// Its id, if it has one.
    pub(super) fn id(&self) -> Option<Id> {
        let mut text = br#"{"method":"","id":"#.to_vec();
        text.extend_from_slice(self.id.as_deref()?);
        text.push(b'}');
        match Message::parse(&Bytes::from(text)) {
            Ok(Message::Request { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// Whether it asks something; else it answers.
    pub(super) fn is_request(&self) -> bool {
        self.has_method
    }

    fn keep(&mut self, byte: u8) {
        // One byte more than is understood, which is how the rest is told from a whole one.
        if self.depth == 1 && self.token.len() <= LONGEST {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        if self.depth != 1 {
            return;
        }
        let (name, value) = (std::mem::take(&mut self.name), std::mem::take(&mut self.token));
        match name.as_slice() {
            b"\"id\"" if !value.is_empty() && value.len() <= LONGEST => self.id = Some(value),
            b"\"method\"" => self.has_method = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        let check = |text: &str, id: Option<Id>, is_request: bool| {
            for size in [1, 3, 1000] {
                let mut long = LongLine::default();
                text.as_bytes().chunks(size).for_each(|piece| long.read(piece));
                assert_eq!((long.id(), long.is_request()), (id.clone(), is_request), "{text}");
            }
        };
        let text = |id: &str| Some(Id::String(id.to_owned()));
        check(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"id":2}}"#, Some(Id::Number(1)), true);
        check(r#"{"method":"m","params":{"id":2,"a":[{"id":3}]},"jsonrpc":"2.0","id": "x" }"#, text("x"), true);
        check(r#"{"method":"m","params":{"t":"\",\"id\":5,\\"},"id":"a\"b"}"#, text("a\"b"), true);
        check(r#"{"id":-7,"result":{"method":"m"}}"#, Some(Id::Number(-7)), false);
        check(r#"{"method":"m","params":["id",1]}"#, None, true);
        check(r#"{"id":{"a":1},"method":"m"}"#, None, true);
        check(&format!(r#"{{"method":"m","id":"{}"}}"#, "x".repeat(2000)), None, true);
        check(r#"[{"id":1,"method":"m"}]"#, None, false);
        check("]]}}\"\\", None, false);
    }
}
