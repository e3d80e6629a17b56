//! Rust text to tokens: enough to never mistake a string or a comment for code, macros included.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword; `r#type` is `type`.
    Word,
    /// One character of punctuation: `::` is two of them.
    Mark,
    /// A string of any sort, with its quotes.
    Text,
    /// A number or character.
    Literal,
    /// `'a`.
    Lifetime,
}

/// One token and the line it begins on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: usize,
}

/// A comment, `//` or `/*` included, and the line it begins on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// A file taken apart.
#[derive(Debug, Default)]
pub struct Lexed<'a> {
    pub tokens: Vec<Token<'a>>,
    pub comments: Vec<Comment<'a>>,
}

/// Takes `text` apart. What is no Rust comes out as tokens too: the compiler will say so.
pub fn lex(text: &str) -> Lexed<'_> {
    let mut cursor = Cursor { text, position: 0, line: 1 };
    let mut lexed = Lexed::default();
    while let Some(next) = cursor.rest().chars().next() {
        let (start, line) = (cursor.position, cursor.line);
        if next.is_whitespace() {
            cursor.advance(next.len_utf8());
            continue;
        }
        let (length, kind) = cursor.measure(next);
        cursor.advance(length);
        let text = &text[start..cursor.position];
        match kind {
            Some(Kind::Word) => {
                lexed.tokens.push(Token { kind: Kind::Word, text: text.strip_prefix("r#").unwrap_or(text), line });
            }
            Some(kind) => lexed.tokens.push(Token { kind, text, line }),
            None => lexed.comments.push(Comment { text, line }),
        }
    }
    lexed
}

struct Cursor<'a> {
    text: &'a str,
    position: usize,
    line: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn advance(&mut self, bytes: usize) {
        let passed = &self.rest()[..bytes];
        self.line += passed.matches('\n').count();
        self.position += bytes;
    }

    /// Bytes of the token that begins with `first`, and its kind; no kind for a comment.
    fn measure(&self, first: char) -> (usize, Option<Kind>) {
        let rest = self.rest();
        if rest.starts_with("//") {
            return (rest.find('\n').unwrap_or(rest.len()), None);
        }
        if rest.starts_with("/*") {
            return (block_comment(rest), None);
        }
        if let Some(length) = string(rest) {
            return (length, Some(Kind::Text));
        }
        if first == '\'' || rest.starts_with("b'") {
            return quote(rest);
        }
        if is_word_start(first) {
            let raw = if rest.starts_with("r#") { 2 } else { 0 };
            return (raw + word(&rest[raw..]), Some(Kind::Word));
        }
        if first.is_ascii_digit() {
            return (number(rest), Some(Kind::Literal));
        }
        (first.len_utf8(), Some(Kind::Mark))
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn word(text: &str) -> usize {
    text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

/// The length of a string with any prefix (`b`, `c`, `r`, `br`, `cr`) when `text` begins with one.
fn string(text: &str) -> Option<usize> {
    let after_prefix = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - after_prefix.len();
    let (raw, body) = match after_prefix.strip_prefix('r') {
        Some(body) => (true, body),
        None => (false, after_prefix),
    };
    let hashes = if raw { body.len() - body.trim_start_matches('#').len() } else { 0 };
    if prefix > 1 || !body[hashes..].starts_with('"') {
        return None;
    }
    let opening = prefix + usize::from(raw) + hashes + 1;
    let content = &text[opening..];
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(content.find(&end).map_or(text.len(), |at| opening + at + end.len()));
    }
    Some(opening + closing(content, b'"').unwrap_or(content.len()))
}

/// The length up to and with the closing quote, minding escapes.
fn closing(content: &str, quote: u8) -> Option<usize> {
    let bytes = content.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// A character, a byte, or a lifetime.
fn quote(text: &str) -> (usize, Option<Kind>) {
    let start = if text.starts_with('b') { 2 } else { 1 };
    let body = &text[start..];
    let mut characters = body.chars();
    let first = characters.next();
    if first == Some('\\') || characters.next() == Some('\'') {
        let length = closing(body, b'\'').unwrap_or(body.len());
        return (start + length, Some(Kind::Literal));
    }
    (start + word(body), Some(Kind::Lifetime))
}

/// A number with its suffix. `1..2` and `1.max(2)` end before the dot.
fn number(text: &str) -> usize {
    let whole = word(text);
    let mut after = text[whole..].chars();
    match (after.next(), after.next()) {
        (Some('.'), Some(digit)) if digit.is_ascii_digit() => whole + 1 + word(&text[whole + 1..]),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(Kind, &str)]) {
        let found: Vec<_> = lex(text).tokens.iter().map(|token| (token.kind, token.text)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn strings_hide_what_is_in_them() {
        use Kind::{Literal, Mark, Text, Word};
        check(
            r#"a("x // \" y", 'z')"#,
            &[(Word, "a"), (Mark, "("), (Text, r#""x // \" y""#), (Mark, ","), (Literal, "'z'"), (Mark, ")")],
        );
        check(
            r###"r#"a "quoted" b"# b"c" br##"d"# e"## c"f""###,
            &[(Text, r###"r#"a "quoted" b"#"###), (Text, r#"b"c""#), (Text, r###"br##"d"# e"##"###), (Text, r#"c"f""#)],
        );
        check("\"never closed", &[(Text, "\"never closed")]);
    }

    #[test]
    fn characters_lifetimes_and_numbers_are_told_apart() {
        use Kind::{Lifetime, Literal, Mark, Word};
        check(
            r"'\'' '\u{7f}' b'\n' '{' 'é'",
            &[(Literal, r"'\''"), (Literal, r"'\u{7f}'"), (Literal, r"b'\n'"), (Literal, "'{'"), (Literal, "'é'")],
        );
        check("&'a r#type", &[(Mark, "&"), (Lifetime, "'a"), (Word, "type")]);
        check(
            "1_000u64 1.5e3 0..9",
            &[(Literal, "1_000u64"), (Literal, "1.5e3"), (Literal, "0"), (Mark, "."), (Mark, "."), (Literal, "9")],
        );
        check("rb bc r b", &[(Word, "rb"), (Word, "bc"), (Word, "r"), (Word, "b")]);
    }

    #[test]
    fn comments_are_kept_apart_with_their_lines() {
        let lexed = lex("a // one\n/* two /* nested */\n still */ b\n//! three");
        let tokens: Vec<_> = lexed.tokens.iter().map(|token| (token.text, token.line)).collect();
        let comments: Vec<_> = lexed.comments.iter().map(|comment| (comment.text, comment.line)).collect();
        assert_eq!(tokens, [("a", 1), ("b", 3)]);
        assert_eq!(comments, [("// one", 1), ("/* two /* nested */\n still */", 2), ("//! three", 4)]);
    }
}
