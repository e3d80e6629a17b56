//! Words that ask for the same kind of tool.
//!
//! People ask to "show" or "get rid of" what a tool's author "gets" or "deletes", and write `repo` for what is called
//! a repository. Only such words of doing, abbreviations and everyday things as every catalogue shares stand in
//! `related.txt`: what the tools of one catalogue are about has its own words.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::tokenize::{Joining, Kind, Term, Tokenizer};

/// A word that stands for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    pub(crate) term: Term,
    pub(crate) word: &'static str,
}

static RELATED: LazyLock<FxHashMap<Term, Vec<Related>>> = LazyLock::new(|| {
    let mut tokenizer = Tokenizer::new();
    let mut all: FxHashMap<Term, Vec<Related>> = FxHashMap::default();
    for line in include_str!("related.txt").lines().filter(|line| !line.starts_with('#')) {
        let (from, to) = line.split_once(" > ").unwrap_or((line, line));
        let [from, to] = [from, to].map(|words| terms(words, &mut tokenizer));
        for said in &from {
            let others = all.entry(said.term).or_default();
            others.extend(to.iter().filter(|other| other.term != said.term));
        }
    }
    all
});

/// The words that `term` may stand for; the same one may come twice.
pub(crate) fn related(term: Term) -> &'static [Related] {
    RELATED.get(&term).map_or(&[], Vec::as_slice)
}

/// The terms of `words`, which spaces part. Several words joined by `_` are one term.
pub(crate) fn terms(words: &'static str, tokenizer: &mut Tokenizer) -> Vec<Related> {
    let mut terms = Vec::new();
    for word in words.split_whitespace() {
        tokenizer.tokenize(word, Joining::Identifiers, &mut |token| {
            if token.kind == Kind::Joined || !word.contains('_') {
                terms.push(Related { term: token.term, word });
            }
        });
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(word: &str) -> Vec<&'static str> {
        let mut found = Vec::new();
        Tokenizer::new().tokenize(word, Joining::Neighbours, &mut |token| {
            found.extend(related(token.term).iter().map(|related| related.word));
        });
        found
    }

    #[test]
    fn inflected_words_stop_words_and_pairs_have_relations() {
        let check = |word: &str, expected: &[&str]| assert_eq!(found(word), expected, "{word}");
        check("removing", &["delete", "drop", "erase", "clear", "rid", "purge"]);
        check("which", &["list", "show", "enumerate", "browse", "what", "all", "get"]);
        check("PR", &["pull_request"]);
        check("pull requests", &["pr"]);
        check("where", &["location", "place", "address"]);
        check("gravitation", &[]);
    }

    #[test]
    fn a_relation_of_one_way_has_no_way_back() {
        assert!(found("ticket").contains(&"issue") && found("lyrics").contains(&"song"));
        assert!(!found("song").contains(&"lyrics"));
    }
}
