//! Text → pieces: words, the parts of identifiers, and runs of writing without spaces.

use unicode_normalization::char::is_combining_mark;

/// A piece of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether it is of a writing that puts no spaces between words.
    pub(crate) spaceless: bool,
    /// Whether it belongs to the same identifier as the piece before.
    pub(crate) glued: bool,
}

/// The pieces of `text`, in order.
///
/// Words end where letters and digits end. Inside, `camelCase`, `HTTPServer` (an acronym before a word) and
/// `base64` (letters beside digits) are cut; `IDs` and `APIs` (the plural of an acronym) are not.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece> + '_ {
    Pieces { text, at: 0, last_end: None }
}

struct Pieces<'t> {
    text: &'t str,
    at: usize,
    last_end: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    /// A writing without spaces.
    Spaceless,
    /// A mark on the character before.
    Mark,
    /// No part of a word.
    Gap,
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let (offset, first) = self.text[self.at..]
            .char_indices()
            .map(|(offset, c)| (offset, class(c)))
            .find(|(_, class)| !matches!(class, Class::Gap | Class::Mark))?;
        let start = self.at + offset;
        let end = start + piece_length(&self.text[start..], first);
        let glued = self.last_end.is_some_and(|last_end| is_connector(&self.text[last_end..start]));
        self.at = end;
        self.last_end = Some(end);
        Some(Piece { start, end, spaceless: first == Class::Spaceless, glued })
    }
}

/// How many bytes of `text` belong to the piece that it begins with.
fn piece_length(text: &str, first: Class) -> usize {
    let mut before = first;
    let mut chars = text.char_indices().map(|(at, c)| (at, class(c))).skip(1).peekable();
    while let Some((at, current)) = chars.next() {
        let following = chars.peek().map_or(Class::Gap, |(_, class)| *class);
        let goes_on = match (before, current) {
            (_, Class::Mark) => continue,
            (Class::Upper, Class::Upper) => following != Class::Lower || is_plural(&text[at..]),
            (Class::Upper, Class::Lower) => true,
            (before, current) => before == current,
        };
        if !goes_on {
            return at;
        }
        before = current;
    }
    text.len()
}

/// Whether `text` begins with a capital and an `s` that ends the word: the `Ds` of `IDs`.
fn is_plural(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('s') && chars.next().is_none_or(|c| class(c) != Class::Lower)
}

/// Whether `gap` holds the words beside it together.
fn is_connector(gap: &str) -> bool {
    matches!(gap, "" | "_" | "__" | "-" | "." | "/" | ":" | "'" | "’" | "::")
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' => Class::Lower,
        'A'..='Z' => Class::Upper,
        '0'..='9' => Class::Digit,
        '\0'..='\x7f' => Class::Gap,
        _ if is_spaceless(c) => Class::Spaceless,
        _ if is_combining_mark(c) => Class::Mark,
        _ if c.is_uppercase() => Class::Upper,
        _ if c.is_numeric() => Class::Digit,
        _ if c.is_alphabetic() => Class::Lower,
        _ => Class::Gap,
    }
}

/// Whether `c` is of a writing that puts no spaces between words (Chinese, Japanese, Thai, Lao, Burmese,
/// Khmer), or joins so much to a word that its parts are better compared (Korean).
pub(crate) fn is_spaceless(c: char) -> bool {
    matches!(c,
        '\u{0E01}'..='\u{0EDF}'       // Thai, Lao
        | '\u{1000}'..='\u{109F}'     // Burmese
        | '\u{1100}'..='\u{11FF}'     // Hangul
        | '\u{1780}'..='\u{17D3}'     // Khmer
        | '\u{3005}'..='\u{3007}'     // ideographic iteration, zero
        | '\u{3041}'..='\u{309F}'     // Hiragana
        | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' // Katakana
        | '\u{3131}'..='\u{318E}'     // Hangul
        | '\u{31F0}'..='\u{31FF}'     // Katakana
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' // ideographs
        | '\u{AC00}'..='\u{D7FF}'     // Hangul
        | '\u{FF66}'..='\u{FF9F}'     // half-width Katakana
        | '\u{20000}'..='\u{3FFFD}') // ideographs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_identifiers_and_words() {
        let check = |input: &str, expected: &str| {
            let mut cut = String::new();
            for piece in pieces(input) {
                cut.push_str(match (cut.is_empty(), piece.glued) {
                    (true, _) => "",
                    (false, true) => "+",
                    (false, false) => " ",
                });
                cut.push_str(&input[piece.start..piece.end]);
            }
            assert_eq!(cut, expected, "{input}");
        };
        check("", "");
        check(" \n\t--", "");
        check("createPullRequest", "create+Pull+Request");
        check("create_pull-request.now", "create+pull+request+now");
        check("mcp__fs/read:file", "mcp+fs+read+file");
        check("HTTPServer", "HTTP+Server");
        check("getHTTPResponse", "get+HTTP+Response");
        check("listUserIDs and APIs, userIDsOf", "list+User+IDs and APIs user+IDs+Of");
        check("AStar", "A+Star");
        check("base64 s3Bucket v2", "base+64 s+3+Bucket v+2");
        check("the user's file", "the user+s file");
        check("end. Start", "end Start");
        check("naïve cafe\u{301}s", "naïve cafe\u{301}s");
        check("ÉcoleNormale", "École+Normale");
        check("Überblick", "Überblick");
        check("搜索网页 API接口", "搜索网页 API+接口");
        check("ファイルを読む", "ファイルを読む");
        check("हिन्दी में", "हिन्दी में");
        check("привет мир", "привет мир");
        check("🎉party🎉", "party");
        check("\u{301}\u{301}x", "x");
    }
}
