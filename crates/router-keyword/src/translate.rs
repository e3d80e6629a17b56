//! Words of other languages → English ones.
//!
//! Tools describe themselves in English, mostly. A request in another language shares no word with them, and needs
//! no more than the plainest ones in English to find what it is about: `translations.txt` has some 130 concepts in
//! fourteen languages.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::pieces::is_spaceless;
use crate::related::{Related, terms};
use crate::tokenize::{Kind, Token, Tokenizer, fold};

/// The longest word of a writing without spaces that is looked for, in characters.
const MAX_SPACELESS: usize = 8;

/// How much longer than a known word its inflected form may be, in characters.
const MAX_ENDING: usize = 3;

/// The shortest word of which inflected forms are known, in characters.
const MIN_STEM: usize = 4;

/// What a word means in English; nothing where it is one of those that say nothing.
static MEANINGS: LazyLock<FxHashMap<String, Vec<Related>>> = LazyLock::new(|| {
    let mut tokenizer = Tokenizer::new();
    let mut meanings: FxHashMap<String, Vec<Related>> = FxHashMap::default();
    for line in include_str!("translations.txt").lines().filter(|line| !line.starts_with('#')) {
        let (english, others) = line.split_once('=').unwrap_or_default();
        let english = terms(english, &mut tokenizer);
        for other in others.split_whitespace() {
            let mut word = other.to_owned();
            if !other.contains(is_spaceless) {
                fold(other, &mut word);
            }
            let known = meanings.entry(word).or_default();
            known
                .extend(english.iter().filter(|term| !english.is_empty() && !known.contains(term)).collect::<Vec<_>>());
        }
    }
    meanings
});

/// A word of another language in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Where it stands in the query, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What it means; nothing where it says nothing.
    pub(crate) meaning: &'static [Related],
    /// Whether some tool has the word itself.
    pub(crate) known: bool,
}

impl Foreign {
    /// Whether it says nothing that a tool could have said.
    pub(crate) fn is_void(&self) -> bool {
        self.meaning.is_empty() || !self.known
    }
}

/// The words of `text` that are of another language, in order; none where the text seems to be English. `is_known`
/// says whether some tool has a token.
pub(crate) fn foreign(text: &str, tokens: &[Token], is_known: impl Fn(&Token) -> bool) -> Vec<Foreign> {
    let mut found = Vec::new();
    let mut word = String::new();
    let (mut english, mut run) = (0, 0);
    for token in tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Stop)) {
        let said = &text[token.start..token.end];
        if said.contains(is_spaceless) {
            // The pairs of a run overlap, so each begins one character further than the one before.
            if token.start >= run
                && let Some((length, meaning)) = longest(&text[token.start..])
            {
                run = token.start + length;
                found.push(Foreign { start: token.start, end: run, meaning, known: is_known(token) });
            }
            continue;
        }
        english += usize::from(token.kind == Kind::Stop);
        fold(said, &mut word);
        if let Some(meaning) = meaning(&word) {
            found.push(Foreign { start: token.start, end: token.end, meaning, known: is_known(token) });
        }
    }
    // Many words are of several languages. What an English text has is English.
    let is_foreign = found.len() > 2 * english && found.iter().any(|word| !word.known);
    if is_foreign { found } else { Vec::new() }
}

/// What a folded word means.
fn meaning(word: &str) -> Option<&'static [Related]> {
    if let Some(known) = MEANINGS.get(word) {
        return Some(known);
    }
    let chars = word.chars().count();
    let stems = word.char_indices().skip(MIN_STEM.max(chars.saturating_sub(MAX_ENDING))).map(|(at, _)| &word[..at]);
    let known = stems.filter_map(|stem| MEANINGS.get(stem)).last()?;
    // Words that say nothing have no endings.
    (!known.is_empty()).then_some(known)
}

/// The longest known word of two characters or more, or one that is all, that `text` begins with, and its length.
fn longest(text: &str) -> Option<(usize, &'static [Related])> {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take(MAX_SPACELESS);
    let ends: Vec<usize> = ends.collect();
    let known = |end: &usize| MEANINGS.get(&text[..*end]).map(|meaning| (*end, meaning.as_slice()));
    ends.iter().skip(1).rev().find_map(known).or_else(|| known(ends.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenize::Joining;

    /// The words of another language in `text` with the first of what each means, where tools have `known` words.
    fn check(text: &str, known: &[&str], expected: &[(&str, &str)]) {
        let mut tokens = Vec::new();
        Tokenizer::new().tokenize(text, Joining::Identifiers, &mut |token| tokens.push(token));
        let found = foreign(text, &tokens, |token| known.contains(&&text[token.start..token.end]));
        let found: Vec<(&str, &str)> = found
            .iter()
            .filter_map(|foreign| Some((&text[foreign.start..foreign.end], foreign.meaning.first()?.word)))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn plain_words_are_translated_with_their_endings() {
        check("eliminar el archivo", &[], &[("eliminar", "delete"), ("archivo", "file")]);
        check("Datei löschen", &[], &[("Datei", "file"), ("löschen", "delete")]);
        check("удали файлы", &[], &[("удали", "delete"), ("файлы", "file")]);
        check("拽删除文件", &[], &[("删除", "delete"), ("文件", "file")]);
        check("メールを送信", &[], &[("メール", "email"), ("送信", "send")]);
        check("파일을 삭제해줘", &[], &[("파일", "file"), ("삭제", "delete")]);
    }

    #[test]
    fn english_stays_as_it_is() {
        check("show the hotel on a map", &["show", "hotel", "map"], &[]);
        check("send the taken pasta", &["send", "taken", "pasta"], &[]);
        check("", &[], &[]);
    }
}
