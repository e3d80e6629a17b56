//! Words that ask for the same kind of tool.
//!
//! People ask to "show" or "get rid of" what a tool's author "gets" or "deletes". Only such words of doing, which
//! every catalogue shares, stand here: what the tools are about has its own words.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::tokenize::{Joining, Term, Tokenizer};

/// Words that stand for each other.
const GROUPS: &[&str] = &[
    "get fetch retrieve read load obtain view show see what",
    "list show enumerate browse which what all get",
    "create add new make generate insert register",
    "update edit modify change set alter adjust",
    "delete remove drop erase clear rid",
    "search find query look discover",
    "send post publish mail message",
    "run execute start launch invoke",
    "stop cancel abort terminate kill end",
    "save store write upload",
    "copy duplicate clone",
    "calculate compute evaluate",
    "convert transform",
    "summarize summary",
    "describe details info information",
    "history recent latest past lately activity",
    "image picture photo",
    "folder directory",
    "spreadsheet sheet",
];

/// A word that stands for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Related {
    pub(crate) term: Term,
    pub(crate) word: &'static str,
}

static RELATED: LazyLock<FxHashMap<Term, Vec<Related>>> = LazyLock::new(|| {
    let mut tokenizer = Tokenizer::new();
    let mut all: FxHashMap<Term, Vec<Related>> = FxHashMap::default();
    for group in GROUPS {
        let mut members = Vec::new();
        for word in group.split(' ') {
            tokenizer
                .tokenize(word, Joining::Identifiers, &mut |token| members.push(Related { term: token.term, word }));
        }
        for member in &members {
            let others = all.entry(member.term).or_default();
            others.extend(members.iter().filter(|other| other.term != member.term));
        }
    }
    all
});

/// The words that `term` may stand for; the same one may come twice.
pub(crate) fn related(term: Term) -> &'static [Related] {
    RELATED.get(&term).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_and_stop_words_have_relations() {
        let check = |word: &str, expected: &[&str]| {
            let mut found = Vec::new();
            Tokenizer::new().tokenize(word, Joining::Identifiers, &mut |token| {
                found.extend(related(token.term).iter().map(|related| related.word));
            });
            assert_eq!(found, expected, "{word}");
        };
        check("removing", &["delete", "drop", "erase", "clear", "rid"]);
        check("which", &["list", "show", "enumerate", "browse", "what", "all", "get"]);
        check("kubernetes", &[]);
    }
}
