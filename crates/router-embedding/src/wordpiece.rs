//! Words → tokens of a vocabulary (WordPiece, as in BERT).

use rustc_hash::FxHashMap;

/// Marks tokens that go on with a word.
const CONTINUES: &str = "##";

/// A vocabulary to split words with: always the longest token that fits.
pub(crate) struct WordPiece {
    /// Tokens that begin a word.
    first: FxHashMap<Box<str>, u32>,
    /// Tokens that go on with one, without their mark.
    further: FxHashMap<Box<str>, u32>,
    /// The longest token, in bytes.
    longest: usize,
    /// The longest word that is looked up, in characters. Nothing longer is a word.
    max_word: usize,
}

impl WordPiece {
    /// The vocabulary of these tokens, for words of at most `max_word` characters. A token's number is its place.
    pub(crate) fn new<'t>(tokens: impl Iterator<Item = &'t str>, max_word: usize) -> Self {
        let mut made = Self { first: FxHashMap::default(), further: FxHashMap::default(), longest: 0, max_word };
        for (place, token) in (0..).zip(tokens) {
            let (map, token) = match token.strip_prefix(CONTINUES) {
                Some(rest) if !rest.is_empty() => (&mut made.further, rest),
                _ => (&mut made.first, token),
            };
            made.longest = made.longest.max(token.len());
            map.insert(token.into(), place);
        }
        made
    }

    /// Adds the tokens of `word` to `tokens`; false, and nothing is added, where no tokens make it up.
    pub(crate) fn split(&self, word: &str, tokens: &mut Vec<u32>) -> bool {
        if word.is_empty() || word.chars().nth(self.max_word).is_some() {
            return false;
        }
        let before = tokens.len();
        let mut rest = word;
        while !rest.is_empty() {
            let map = if rest.len() == word.len() { &self.first } else { &self.further };
            let Some((token, length)) = self.longest_in(map, rest) else {
                tokens.truncate(before);
                return false;
            };
            tokens.push(token);
            rest = &rest[length..];
        }
        true
    }

    /// The token of a text that is one, such as `[CLS]`.
    #[cfg(feature = "minilm")]
    pub(crate) fn token(&self, text: &str) -> Option<u32> {
        self.first.get(text).copied()
    }

    fn longest_in(&self, map: &FxHashMap<Box<str>, u32>, rest: &str) -> Option<(u32, usize)> {
        let most = rest.len().min(self.longest);
        let ends = (1..=most).rev().filter(|end| rest.is_char_boundary(*end));
        ends.map(|end| (map.get(&rest[..end]), end)).find_map(|(token, end)| Some((*token?, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_by_the_longest_token_or_not_at_all() {
        let tokens = ["un", "##aff", "##able", "##a", "unaf", "é", "##é", "##", "[CLS]"];
        let vocabulary = WordPiece::new(tokens.into_iter(), 64);
        let check = |word: &str, expected: Option<&[&str]>| {
            let mut found = vec![7];
            let whole = vocabulary.split(word, &mut found);
            let found: Vec<&str> = found[1..].iter().map(|token| tokens[*token as usize]).collect();
            assert_eq!((whole, &found[..]), (expected.is_some(), expected.unwrap_or_default()), "{word}");
        };
        check("un", Some(&["un"]));
        check("unaffable", None);
        check("unaable", Some(&["un", "##a", "##able"]));
        check("unx", None);
        check("aff", None);
        check("éé", Some(&["é", "##é"]));
        check("", None);
        check(&"é".repeat(64), Some(&[&["é"][..], &["##é"; 63]].concat()));
        check(&"é".repeat(65), None);
    }
}
