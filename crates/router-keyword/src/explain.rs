//! A match → the words that made it.

use gateway_core::ToolRef;

use crate::config::Field;
use crate::query::{Said, Wanted, WantedTerm};
use crate::rank::Catalogue;

/// How many words are named; of more, those that counted most.
const MAX_WORDS: usize = 12;

/// A word of the query that a tool has.
#[derive(Clone, Copy)]
struct Matched<'a> {
    term: &'a WantedTerm,
    /// The most telling field that it stands in.
    field: Field,
    /// How much it counted.
    worth: f32,
}

/// The words of `text` that `tool` has, by the most telling field that each stands in:
/// `name: create, issue; description: github`.
pub(crate) fn explain(text: &str, wanted: &Wanted, catalogue: &Catalogue, tool: ToolRef) -> String {
    let matched = |term| {
        let (posting, fields) = catalogue.find(term, tool, wanted)?;
        Some(Matched { term, field: fields.first()?, worth: term.weight * posting.strength })
    };
    let mut all: Vec<Matched<'_>> = wanted.terms.iter().filter_map(matched).collect();
    all.sort_by(|a, b| b.worth.total_cmp(&a.worth));
    let mut named: Vec<Matched<'_>> = Vec::new();
    for rank in 0..4 {
        for matched in all.iter().filter(|matched| precedence(text, matched.term) == rank) {
            let said_already = named.iter().any(|other| {
                let before = precedence(text, other.term);
                overlap(other.term, matched.term) && (before < rank || before == rank && rank > 1)
            });
            if !said_already && named.len() < MAX_WORDS {
                named.push(*matched);
            }
        }
    }
    named.sort_by_key(|matched| (matched.field, matched.term.start, matched.term.end));
    write_line(text, wanted, &named)
}

/// Which of two overlapping terms is named, the lower one: an identifier rather than its parts, and words rather
/// than that they stand together.
fn precedence(text: &str, term: &WantedTerm) -> u8 {
    match term.said {
        Said::Joined if !text[term.start..term.end].contains(char::is_whitespace) => 0,
        Said::Plainly => 1,
        Said::Joined | Said::Whole => 2,
        Said::As(_) | Said::Misspelt(_) => 3,
    }
}

fn overlap(a: &WantedTerm, b: &WantedTerm) -> bool {
    a.start < b.end && b.start < a.end
}

/// Writes sorted matches. Those that overlap, such as pairs of characters, are written as one.
fn write_line(text: &str, wanted: &Wanted, named: &[Matched<'_>]) -> String {
    let mut line = String::new();
    let mut named = named.iter().peekable();
    let mut last_field = None;
    while let Some(Matched { term, field, .. }) = named.next() {
        let mut end = term.end;
        while let Some(next) = named.next_if(|next| next.field == *field && next.term.start < end) {
            end = end.max(next.term.end);
        }
        match last_field.replace(*field) {
            None => line.extend([field.label(), ": "]),
            Some(last) if last != *field => line.extend(["; ", field.label(), ": "]),
            Some(_) => line.push_str(", "),
        }
        let stands_for = match term.said {
            Said::As(word) => Some(word),
            Said::Misspelt(place) => wanted.spellings.get(place).map(|word| &**word),
            Said::Plainly | Said::Joined | Said::Whole => None,
        };
        if let Some(word) = stands_for {
            line.extend([word, " (for "]);
        }
        for (place, word) in text[term.start..end].split_whitespace().enumerate() {
            line.extend([if place == 0 { "" } else { " " }, word]);
        }
        if stands_for.is_some() {
            line.push(')');
        }
    }
    line
}
