//! The formulas: BM25F, as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
//! (Foundations and Trends in Information Retrieval 3:4, 2009), section 3.6.
//!
//! The occurrences of a term in the fields of a tool are weighted, discounted by the field's length and summed
//! *before* they are saturated, so that a word in name and description counts less than two different words.

use crate::config::FieldConfig;

/// How many tools without any of the words are imagined beside those of an index. Among three tools no word is
/// rare, and a word that two of them have is still worth asking for; among thousands this changes nothing.
const BACKGROUND_TOOLS: f32 = 100.0;

/// What `count` occurrences in a field of `words` words are worth.
pub(crate) fn weighted_frequency(field: &FieldConfig, count: f32, words: f32) -> f32 {
    field.weight * count / (1.0 - field.b + field.b * words.max(1.0) / field.usual_words)
}

/// How much a weighted frequency says, 0..1 (exclusive).
pub(crate) fn saturate(frequency: f32, k1: f32) -> f32 {
    frequency / (k1 + frequency)
}

/// How much a term says that `having` of `tools` tools have (inverse document frequency). Positive.
pub(crate) fn rarity(having: u32, tools: u32) -> f32 {
    let (having, tools) = (having as f32, tools as f32 + BACKGROUND_TOOLS);
    (1.0 + (tools - having + 0.5) / (having + 0.5)).ln()
}
