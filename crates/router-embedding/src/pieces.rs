//! Text → pieces: words, and the parts of identifiers.
//!
//! `router-keyword` cuts texts much alike, and the two are apart on purpose: the rows of the table were fitted to
//! exactly these pieces, so that any change here needs a new table, while the words of the other may change any day.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// `text` in the composed form that [`pieces`] takes.
pub(crate) fn compose(text: &str) -> Cow<'_, str> {
    if unicode_normalization::is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// The pieces of a [`compose`]d text, in order.
///
/// Words end where letters and digits end. Inside, `camelCase`, `HTTPServer` (an acronym before a word) and
/// `base64` (letters beside digits) are cut; `IDs` and `APIs` (the plural of an acronym) are not. Each character of
/// Chinese and Japanese is a piece.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    Pieces { rest: text }
}

/// Writes `piece` to `word` as the table spells it: lower case, without marks on letters.
pub(crate) fn fold(piece: &str, word: &mut String) {
    word.clear();
    if piece.is_ascii() {
        word.push_str(piece);
        word.make_ascii_lowercase();
    } else {
        word.extend(piece.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)));
    }
}

struct Pieces<'t> {
    rest: &'t str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    /// The letter `s`, which makes plurals of acronyms.
    PluralS,
    Upper,
    Digit,
    Ideograph,
    /// A mark on the character before.
    Mark,
    /// No part of a word.
    Gap,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            's' => Self::PluralS,
            'a'..='z' => Self::Lower,
            'A'..='Z' => Self::Upper,
            '0'..='9' => Self::Digit,
            '\0'..='\x7f' => Self::Gap,
            _ if is_ideograph(c) => Self::Ideograph,
            _ if c.is_numeric() => Self::Digit,
            _ if is_combining_mark(c) => Self::Mark,
            // Letters in circles and squares count as signs.
            '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F189}' => Self::Gap,
            _ if c.is_uppercase() => Self::Upper,
            _ if c.is_alphabetic() => Self::Lower,
            _ => Self::Gap,
        }
    }

    fn is_lower(self) -> bool {
        matches!(self, Self::Lower | Self::PluralS)
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let of_words = |c| !matches!(Class::of(c), Class::Gap | Class::Mark);
        let start = self.rest.find(of_words)?;
        let (piece, rest) = self.rest[start..].split_at(piece_length(&self.rest[start..]));
        self.rest = rest;
        Some(piece)
    }
}

/// How many bytes of `text` belong to the piece that it begins with.
fn piece_length(text: &str) -> usize {
    let class = |at: usize| text[at..].chars().next().map_or(Class::Gap, Class::of);
    match class(0) {
        Class::Upper => {
            let capitals = Run::of(text, |class| class == Class::Upper);
            let after = class(capitals.end);
            if !after.is_lower() {
                return capitals.end;
            }
            if capitals.count == 1 {
                return capitals.end + Run::of(&text[capitals.end..], Class::is_lower).end;
            }
            if after == Class::PluralS && class(capitals.end + 1) != Class::Lower {
                return capitals.end + 1;
            }
            // The last capital begins the next word.
            capitals.last
        }
        Class::Digit => Run::of(text, |class| class == Class::Digit).end,
        Class::Ideograph => {
            let first = text.chars().next().map_or(0, char::len_utf8);
            first + Run::of(&text[first..], |class| class == Class::Mark).end
        }
        _ => Run::of(text, Class::is_lower).end,
    }
}

/// Characters of one kind, with the marks on them.
struct Run {
    /// How many there are, without marks.
    count: usize,
    /// Where the last one begins.
    last: usize,
    /// Where the run ends.
    end: usize,
}

impl Run {
    /// The run of characters that `belongs` at the beginning of `text`.
    fn of(text: &str, belongs: impl Fn(Class) -> bool) -> Self {
        let mut run = Self { count: 0, last: 0, end: 0 };
        for (at, c) in text.char_indices() {
            let class = Class::of(c);
            if belongs(class) {
                run.count += 1;
                run.last = at;
            } else if class != Class::Mark {
                break;
            }
            run.end = at + c.len_utf8();
        }
        run
    }
}

/// Whether `c` is of Chinese or Japanese writing.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30FF}'
        | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{2FA1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_folds() {
        let check = |input: &str, expected: &str| {
            let mut word = String::new();
            let folded = |piece| {
                fold(piece, &mut word);
                word.clone()
            };
            let found: Vec<String> = pieces(&compose(input)).map(folded).collect();
            assert_eq!(found.join(" "), expected, "{input}");
        };
        check("", "");
        check(" \n\t--_", "");
        check("createPullRequest", "create pull request");
        check("create_pull-request.now", "create pull request now");
        check("HTTPServer", "http server");
        check("getHTTPResponse", "get http response");
        check("listUserIDs and APIs, userIDsOf IDsome", "list user ids and apis user ids of i dsome");
        check("AStar aB AB", "a star a b ab");
        check("base64 s3Bucket AWSs3 v2", "base 64 s 3 bucket awss 3 v 2");
        check("the user's file", "the user s file");
        check("naïve cafe\u{301}s ÉcoleNormale", "naive cafes ecole normale");
        check("ÉCOLE Überblick İstanbul ΑΘΗΝΑΣ", "ecole uberblick istanbul αθηνας");
        check("搜索网页 API接口", "搜 索 网 页 api 接 口");
        check("ファイル", "フ ァ イ ル");
        check("привет мир", "привет мир");
        check("🎉party🎉 Ⓐ", "party");
        check("\u{301}\u{301}x\u{301}", "x");
    }
}
