//! Texts → tokens, as BERT's uncased models were trained with them.
//!
//! After `BertNormalizer`, `BertPreTokenizer` and `WordPiece` of the `tokenizers` library. Names of special tokens in
//! a text are words like others, and spacing vowel signs of Indic writings, which the model knows no more than their
//! letters, are left out.

use gateway_core::{Error, ErrorKind, Result};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::wordpiece::WordPiece;

/// Longest word that is looked up, in characters, as in the model's own settings.
const MAX_WORD: usize = 100;

/// The tokenizer of one vocabulary.
pub(super) struct Bert {
    vocabulary: WordPiece,
    begin: u32,
    end: u32,
    unknown: u32,
}

impl Bert {
    /// The tokenizer with these tokens, in the order of their numbers.
    ///
    /// # Errors
    /// `InvalidRequest` where the special tokens are missing.
    pub(super) fn new<'t>(tokens: impl Iterator<Item = &'t str>) -> Result<Self> {
        let vocabulary = WordPiece::new(tokens, MAX_WORD);
        let special = |token: &str| {
            let missing = || {
                let message = format!("the vocabulary of the model has no `{token}`: it is not one of BERT's");
                Error::new(ErrorKind::InvalidRequest, message)
            };
            vocabulary.token(token).ok_or_else(missing)
        };
        let (begin, end, unknown) = (special("[CLS]")?, special("[SEP]")?, special("[UNK]")?);
        Ok(Self { vocabulary, begin, end, unknown })
    }

    /// The tokens of `text`, at most `most` with the one that begins and the one that ends it. None where the text
    /// has no words.
    pub(super) fn tokens(&self, text: &str, most: usize) -> Option<Vec<u32>> {
        let mut tokens = vec![self.begin];
        let mut word = String::new();
        // One space more ends the last word.
        for c in text.chars().chain([' ']) {
            if is_dropped(c) {
                continue;
            }
            if !c.is_whitespace() && !stands_alone(c) {
                word.push(c);
                continue;
            }
            self.push(&mut word, &mut tokens);
            if !c.is_whitespace() {
                word.push(c);
                self.push(&mut word, &mut tokens);
            }
            if tokens.len() >= most {
                break;
            }
        }
        tokens.truncate(most - 1);
        tokens.push(self.end);
        (tokens.len() > 2).then_some(tokens)
    }

    /// Adds the tokens of `word` and empties it.
    fn push(&self, word: &mut String, tokens: &mut Vec<u32>) {
        let folded: String = word.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
        word.clear();
        if !folded.is_empty() && !self.vocabulary.split(&folded, tokens) {
            tokens.push(self.unknown);
        }
    }
}

/// Characters that are no part of the text.
fn is_dropped(c: char) -> bool {
    let is_format = matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0001}' | '\u{E0020}'..='\u{E007F}' | '\u{E000}'..='\u{F8FF}');
    c == '\u{FFFD}' || is_format || c.is_control() && !matches!(c, '\t' | '\n' | '\r')
}

/// Whether `c` is a word of its own: punctuation, or a character of Chinese.
fn stands_alone(c: char) -> bool {
    let is_chinese = matches!(c,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{2FA1F}');
    let is_punctuation = matches!(c,
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{2043}' | '\u{2045}'..='\u{2051}' | '\u{2053}'..='\u{205E}'
        | '\u{207D}' | '\u{207E}' | '\u{208D}' | '\u{208E}' | '\u{2308}'..='\u{230B}' | '\u{2329}' | '\u{232A}'
        | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301F}' | '\u{3030}' | '\u{30A0}'
        | '\u{30FB}' | '\u{FF01}'..='\u{FF03}' | '\u{FF05}'..='\u{FF0A}' | '\u{FF0C}'..='\u{FF0F}' | '\u{FF1A}'
        | '\u{FF1B}' | '\u{FF1F}' | '\u{FF20}' | '\u{FF3B}'..='\u{FF3D}' | '\u{FF3F}' | '\u{FF5B}' | '\u{FF5D}'
        | '\u{FF5F}'..='\u{FF65}');
    c.is_ascii_punctuation() || is_chinese || is_punctuation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with the tokens that the `tokenizers` library makes of them with the model's own settings.
    #[derive(serde::Deserialize)]
    struct Expected {
        vocabulary: Vec<String>,
        texts: Vec<(String, Vec<String>)>,
    }

    #[test]
    fn tokens_are_those_of_the_model() {
        let expected: Expected = serde_json::from_str(include_str!("../../tests/bert_tokens.json")).expect("JSON");
        let bert = Bert::new(expected.vocabulary.iter().map(String::as_str)).expect("it has the special tokens");
        assert!(expected.texts.len() >= 100);
        for (text, tokens) in &expected.texts {
            let found = bert.tokens(text, 64).unwrap_or_default();
            let found: Vec<&String> = found.iter().map(|token| &expected.vocabulary[*token as usize]).collect();
            assert_eq!(found, tokens.iter().collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn a_vocabulary_without_special_tokens_is_refused() {
        let error = Bert::new(["[CLS]", "a"].into_iter()).err().expect("two are missing");
        assert!(error.message().contains("`[SEP]`"), "{error}");
    }
}
