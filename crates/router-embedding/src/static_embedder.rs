//! The model that is shipped inside.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;

use async_trait::async_trait;
use gateway_core::Result;
use rustc_hash::{FxHashSet, FxHasher};

use crate::calibrate::Calibration;
use crate::document::bounded;
use crate::embedder::{Embedder, Role, Word, Words};
use crate::pieces::{compose, fold, pieces};
use crate::table::Table;
use crate::vector::Vector;

/// How many tokens of a text are read.
const MAX_TOKENS: usize = 512;

/// How much of a text is read, in bytes: more than [`MAX_TOKENS`] words take.
const MAX_TEXT: usize = 8 * 1024;

/// A table of one vector per token. A text's vector is their sum, so it costs microseconds.
///
/// How often a token says something is part of its row's length, so that `the` hardly moves the sum. The order of
/// words is lost; in texts as short as the descriptions of tools little hangs on it.
pub struct StaticEmbedder {
    table: Table,
    id: String,
}

impl StaticEmbedder {
    /// The model that comes with this crate: see `model/README.md` for where it is from.
    pub fn shipped() -> Self {
        let bytes: &'static [u8] = include_bytes!("../model/table.bin");
        Self::from_table(bytes).expect("the table that is part of the program is whole")
    }

    /// A model of your own.
    ///
    /// # Errors
    /// `InvalidRequest` where `bytes` are no table in the format that `model/README.md` describes.
    pub fn from_table(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self> {
        let table = Table::new(bytes.into())?;
        let mut hasher = FxHasher::default();
        hasher.write(table.bytes());
        Ok(Self { id: format!("static-{:016x}", hasher.finish()), table })
    }

    fn vector(&self, text: &str) -> Option<Vector> {
        let mut sum = vec![0.0; self.table.dimensions()];
        let (mut left, mut said) = (MAX_TOKENS, false);
        self.each_word(text, &mut |_, word, tokens| {
            said |= !is_spelled(word, tokens.len());
            for token in tokens.iter().take(left) {
                self.table.add(*token, &mut sum);
            }
            left = left.saturating_sub(tokens.len());
            left > 0
        });
        said.then_some(sum).and_then(Vector::new)
    }

    /// Hands each known word of `text` to `emit`: as it stands there, as the table spells it, and its tokens; until
    /// `emit` says false.
    fn each_word(&self, text: &str, emit: &mut dyn FnMut(&str, &str, &[u32]) -> bool) {
        let (mut tokens, mut word) = (Vec::new(), String::new());
        for piece in pieces(&compose(bounded(text, MAX_TEXT))) {
            tokens.clear();
            fold(piece, &mut word);
            if self.table.vocabulary().split(&word, &mut tokens) && !emit(piece, &word, &tokens) {
                break;
            }
        }
    }
}

/// Whether a vocabulary that has every letter could only spell `word`, as it does with `xqzvk` and with words of
/// languages that it does not know. A text of nothing else would get a vector that means nothing.
fn is_spelled(word: &str, tokens: usize) -> bool {
    tokens > 2 && 2 * tokens > word.chars().count()
}

#[async_trait]
impl Embedder for StaticEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    async fn embed(&self, texts: &[&str], _: Role) -> Result<Vec<Option<Vector>>> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }

    fn calibration(&self) -> Calibration {
        Calibration::STATIC
    }

    fn words(&self) -> Option<&dyn Words> {
        Some(self)
    }
}

impl Words for StaticEmbedder {
    fn words_of(&self, text: &str, most: usize) -> Vec<Word> {
        let (mut known, mut seen) = (Vec::new(), FxHashSet::default());
        self.each_word(text, &mut |piece, word, tokens| {
            if seen.insert(word.to_owned()) {
                let mut vector = vec![0.0; self.table.dimensions()];
                tokens.iter().for_each(|token| self.table.add(*token, &mut vector));
                known.push(Word { text: piece.to_owned(), vector: vector.into() });
            }
            known.len() < most
        });
        known
    }
}

impl fmt::Debug for StaticEmbedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticEmbedder").field("id", &self.id).field("table", &self.table).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::write;

    /// Texts with the tokens that the program which fitted the table makes of them.
    #[derive(serde::Deserialize)]
    struct Expected {
        vocabulary: Vec<String>,
        texts: Vec<(String, Vec<String>)>,
    }

    #[test]
    fn tokens_are_those_that_the_table_was_fitted_to() {
        let expected: Expected = serde_json::from_str(include_str!("../tests/tokens.json")).expect("the fixture");
        let rows: Vec<_> = expected.vocabulary.iter().map(|token| (token.as_str(), 1.0, &[1_i8][..])).collect();
        let embedder = StaticEmbedder::from_table(write(&rows)).expect("it is whole");
        assert!(expected.texts.len() >= 100);
        for (text, tokens) in &expected.texts {
            let mut found = Vec::new();
            embedder.each_word(text, &mut |_, _, tokens| {
                found.extend(tokens.iter().map(|token| &expected.vocabulary[*token as usize]));
                true
            });
            assert_eq!(found, tokens.iter().collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn a_text_is_the_sum_of_its_tokens() {
        let rows: [(&str, f32, &[i8]); 4] =
            [("read", 1.0, &[3, 0]), ("##er", 1.0, &[0, 4]), ("x", 1.0, &[9, 9]), ("##x", 1.0, &[9, 9])];
        let embedder = StaticEmbedder::from_table(write(&rows)).expect("it is whole");
        let check = |text: &str, expected: Option<[f32; 2]>| {
            let found = embedder.vector(text);
            assert_eq!(found.as_ref().map(Vector::values), expected.as_ref().map(|values| &values[..]), "{text:.20}");
        };
        check("readRead", Some([1.0, 0.0]));
        check("Reader!", Some([0.6, 0.8]));
        check("reader unknown", Some([0.6, 0.8]));
        check("unknown", None);
        check("", None);
        check("xxx xxxx", None);
        // No more is read than is promised.
        check(&format!("{}reader", "read ".repeat(512)), Some([1.0, 0.0]));
        check(&"é".repeat(1_000_000), None);
    }

    #[test]
    fn ids_tell_tables_apart() {
        let id = |value: i8| {
            let embedder = StaticEmbedder::from_table(write(&[("a", 1.0, &[value])])).expect("it is whole");
            embedder.id().to_owned()
        };
        assert_eq!(id(1), id(1));
        assert_ne!(id(1), id(2));
    }
}
