//! A query → weighted terms.

use rustc_hash::FxHashSet;

use crate::calibrate::Demand;
use crate::config::KeywordConfig;
use crate::dictionary::Dictionary;
use crate::fields::bounded;
use crate::related::related;
use crate::score::rarity;
use crate::tokenize::{Joining, Kind, Term, Token, Tokenizer};

/// How much of a query is read, in bytes: some 1,300 words.
const MAX_TEXT: usize = 8 * 1024;

/// How much a number counts. It is mostly a value for the tool, and rarely says which tool.
const NUMBER: f32 = 0.3;

/// What a query asks of an index.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The terms that some tool has, in the order of the query.
    pub(crate) terms: Vec<WantedTerm>,
    /// How much is asked for.
    pub(crate) demand: Demand,
}

/// A term of a query that some tool has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WantedTerm {
    /// The term.
    pub(crate) term: Term,
    /// How the query says it.
    pub(crate) said: Said,
    /// What the term is worth to a tool of strength 1.
    pub(crate) weight: f32,
    /// Where it stands in the query, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

/// How a query says a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// As a word of its own.
    Plainly,
    /// As two or more words.
    Joined,
    /// As the whole query.
    Whole,
    /// By another word, which may stand for this one.
    As(&'static str),
}

impl Wanted {
    /// Reads `text` as a query to an index of `tools` tools with the terms of `dictionary`.
    pub(crate) fn new(text: &str, tools: u32, dictionary: &Dictionary, config: &KeywordConfig) -> Self {
        let mut reader = Reader { tools, dictionary, terms: Vec::new(), rarities: Vec::new() };
        let mut tokens = Vec::new();
        Tokenizer::new().tokenize(bounded(text, MAX_TEXT), Joining::Neighbours, &mut |token| tokens.push(token));
        let mut seen = FxHashSet::default();
        for token in &tokens {
            if token.kind != Kind::Stop && seen.insert(token.term) {
                reader.read(token, config);
            }
        }
        // After all words, so that a word of the query is not taken for one that another word may stand for.
        for token in &tokens {
            for other in related(token.term).iter().filter(|other| seen.insert(other.term)) {
                reader.add(other.term, Said::As(other.word), config.related, token);
            }
        }
        let Reader { mut terms, rarities, .. } = reader;
        if terms.len() > config.max_terms {
            terms.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            terms.truncate(config.max_terms);
        }
        terms.sort_by_key(|term| (term.start, term.end));
        Self { terms, demand: Demand::new(rarities, rarity(1, tools)) }
    }
}

struct Reader<'a> {
    tools: u32,
    dictionary: &'a Dictionary,
    terms: Vec<WantedTerm>,
    /// What each distinct word would be worth, whether or not any tool has it.
    rarities: Vec<f32>,
}

impl Reader<'_> {
    fn read(&mut self, token: &Token, config: &KeywordConfig) {
        match token.kind {
            Kind::Joined => {
                self.add(token.term, Said::Joined, config.joined, token);
            }
            Kind::Whole => {
                self.add(token.term, Said::Whole, config.whole_name, token);
            }
            Kind::Word | Kind::Number | Kind::Stop => {
                let factor = if token.kind == Kind::Number { NUMBER } else { 1.0 };
                let known = self.add(token.term, Said::Plainly, factor, token);
                let worth = known.unwrap_or_else(|| factor * rarity(0, self.tools));
                self.rarities.push(worth);
            }
        }
    }

    /// Adds a term, where any tool has it. Says what it is worth.
    fn add(&mut self, term: Term, said: Said, factor: f32, token: &Token) -> Option<f32> {
        let having = Some(self.dictionary.having(term)).filter(|having| *having > 0)?;
        let weight = factor * rarity(having, self.tools);
        self.terms.push(WantedTerm { term, said, weight, start: token.start, end: token.end });
        Some(weight)
    }
}
