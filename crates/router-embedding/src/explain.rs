//! A match → the words that made it.

use std::sync::{Arc, OnceLock};

use gateway_core::Tool;

use crate::document::{bounded, gist};
use crate::embedder::{Embedder, Word, Words};
use crate::query::MAX_TEXT;
use crate::vector::dot;

/// How many words of the query are named; of more, those that contribute most.
const MAX_NAMED: usize = 4;

/// How many words of a query are weighed.
const MAX_WANTED: usize = 48;

/// How many words of a tool are weighed: its name and what its description begins with.
const MAX_OFFERED: usize = 24;

/// A word that contributes less than this part of what the first one does is not worth naming.
const WORTH_NAMING: f32 = 0.25;

/// Explains the matches of one query, by the words of the embedder where it has them.
pub(crate) struct Explainer {
    embedder: Arc<dyn Embedder>,
    text: Box<str>,
    wanted: OnceLock<Vec<Word>>,
}

impl Explainer {
    /// For the query `text`.
    pub(crate) fn new(embedder: Arc<dyn Embedder>, text: &str) -> Self {
        Self { embedder, text: bounded(text, MAX_TEXT).into(), wanted: OnceLock::new() }
    }

    /// Why `tool`, whose text has the vector `row`, is near: the words of the query that contribute most to the
    /// cosine, each with the word of the tool to which it owes most.
    pub(crate) fn explain(&self, tool: &Tool, row: &[f32], cosine: f32) -> String {
        let named = self.embedder.words().map(|words| self.named(words, tool, row)).unwrap_or_default();
        if named.is_empty() {
            format!("meaning close to its description ({cosine:.2})")
        } else {
            format!("means much the same ({cosine:.2}): {}", named.join(", "))
        }
    }

    fn named(&self, words: &dyn Words, tool: &Tool, row: &[f32]) -> Vec<String> {
        let wanted = self.wanted.get_or_init(|| words.words_of(&self.text, MAX_WANTED));
        let mut telling: Vec<(f32, &Word)> = wanted.iter().map(|word| (dot(&word.vector, row), word)).collect();
        telling.sort_by(|one, other| other.0.total_cmp(&one.0));
        let least = telling.first().map_or(0.0, |(most, _)| most * WORTH_NAMING).max(f32::MIN_POSITIVE);
        let telling = telling.into_iter().take(MAX_NAMED).take_while(|(worth, _)| *worth >= least);
        let offered = words.words_of(&gist(tool), MAX_OFFERED);
        telling.map(|(_, wanted)| pair(wanted, &offered)).collect()
    }
}

/// `wanted`, and the one of `offered` to which it owes most, unless it is the same word.
fn pair(wanted: &Word, offered: &[Word]) -> String {
    let owed = offered.iter().map(|word| (dot(&wanted.vector, &word.vector), word));
    match owed.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((owed, word)) if owed > 0.0 && word.text.to_lowercase() != wanted.text.to_lowercase() => {
            format!("{} ~ {}", wanted.text, word.text)
        }
        _ => wanted.text.clone(),
    }
}
