//! A query → the texts that are looked for.

use crate::document::bounded;

/// How much of a query is read, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// The texts that `text` is looked up by: the whole, and whatever else it is made of.
pub(crate) fn readings(text: &str) -> Vec<&str> {
    vec![bounded(text, MAX_TEXT)]
}

/// How near a tool is to a query, from its cosines with the query's [`readings`], in their order.
pub(crate) fn nearness(cosines: &[f32]) -> f32 {
    cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}
