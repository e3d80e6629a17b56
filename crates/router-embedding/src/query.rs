//! A query → the texts that are looked for.

use gateway_core::clauses;

use crate::document::bounded;

/// How much of a query is read, in bytes.
pub(crate) const MAX_TEXT: usize = 8 * 1024;

/// How much the best clause of a request counts beside the whole.
const CLAUSE: f32 = 1.0;

/// The texts that `text` is looked up by: the whole, then its clauses where it asks for several things. None of the
/// tools that it wants then fits the whole, but each fits a part.
pub(crate) fn readings(text: &str) -> Vec<&str> {
    let whole = bounded(text, MAX_TEXT);
    let mut readings = vec![whole];
    let clauses = clauses(whole);
    if clauses.len() > 1 {
        readings.extend(clauses);
    }
    readings
}

/// How near a tool is to a query, from its cosines with the query's [`readings`], in their order.
pub(crate) fn nearness(cosines: &[f32]) -> f32 {
    let (whole, clauses) = cosines.split_first().unwrap_or((&0.0, &[]));
    clauses.iter().fold(*whole, |best, clause| best.max(CLAUSE * clause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_several_things_is_read_in_parts_too() {
        let text = "Get the weather of Prague, then email it to Anna.";
        assert_eq!(readings(text), [text, "Get the weather of Prague,", "then email it to Anna."]);
        assert_eq!(readings("weather"), ["weather"]);
        assert_eq!(readings(""), [""]);
        assert!(readings(&"é".repeat(1_000_000))[0].len() <= MAX_TEXT);
    }

    #[test]
    fn the_nearest_reading_counts() {
        assert_eq!(nearness(&[0.5]), 0.5);
        assert_eq!(nearness(&[0.5, 0.4, 0.7]), 0.7);
        assert_eq!(nearness(&[0.5, 0.4]), 0.5);
    }
}
