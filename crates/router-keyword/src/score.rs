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

/// How fast the worth of a word grows with its rarity: its power. A catalogue's rarest words are often values or
/// chatter, and what one asks to be done is said by its commonest.
const RARITY: f32 = 0.75;

/// How much a term says that `having` of `tools` tools have (inverse document frequency, flattened). Positive.
pub(crate) fn rarity(having: u32, tools: u32) -> f32 {
    let (having, tools) = (having as f32, tools as f32 + BACKGROUND_TOOLS);
    (1.0 + (tools - having + 0.5) / (having + 0.5)).ln().powf(RARITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequency_falls_with_length_and_saturates() {
        let field = FieldConfig { weight: 2.0, b: 0.5, usual_words: 10.0 };
        assert_eq!(weighted_frequency(&field, 1.0, 10.0), 2.0);
        assert!(weighted_frequency(&field, 1.0, 20.0) < 2.0);
        assert!(weighted_frequency(&field, 1.0, 5.0) > 2.0);
        let extreme = FieldConfig { weight: 1.0, b: 1.0, usual_words: 10.0 };
        assert!(weighted_frequency(&extreme, 1.0, 0.0).is_finite());
        assert!(saturate(1.0, 1.2) < saturate(2.0, 1.2) && saturate(1e9, 1.2) <= 1.0);
    }

    #[test]
    fn rare_words_say_more_and_none_says_nothing() {
        for tools in [1_u32, 5, 10_000] {
            let rarities: Vec<f32> = [0, 1, tools.div_ceil(2), tools].map(|having| rarity(having, tools)).to_vec();
            assert!(rarities.is_sorted_by(|a, b| a >= b), "{rarities:?}");
            assert!(rarities[3] > 0.0);
        }
    }
}
