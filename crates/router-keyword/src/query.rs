//! A query → weighted terms.

use gateway_core::clauses;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::calibrate::Demand;
use crate::config::KeywordConfig;
use crate::dictionary::{Dictionary, Entry, Lookups, Places};
use crate::fields::bounded;
use crate::pieces::is_spaceless;
use crate::related::{Related, related};
use crate::score::rarity;
use crate::tokenize::{Joining, Kind, Term, Token, Tokenizer, fold};
use crate::translate::{Foreign, foreign};

/// How much of a query is read, in bytes: some 1,300 words.
pub(crate) const MAX_TEXT: usize = 8 * 1024;

/// How much a number counts. It is mostly a value for the tool, and rarely says which tool.
const NUMBER: f32 = 0.3;

/// How much less a word counts that is taken for a misspelling of another one, for each mistake.
const MISSPELT: f32 = 0.85;

/// How many words of a query are taken for misspelt, and for how many others each.
const MAX_MISSPELT: usize = 6;
const MAX_SPELLINGS: usize = 3;

/// How much less a translated word counts than one of the tool's own language.
const TRANSLATED: f32 = 0.9;

/// How much less sure it is what a stop word stands for, such as `list` for `which`.
const QUESTION: f32 = 0.4;

/// How far clauses count alike, however many words they have and however rare these are: 0 not at all, 1 wholly.
const EVEN: f32 = 0.5;

/// What a query asks of an index.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Where its terms are found.
    pub(crate) places: Places,
    /// The terms that some tool has, those that say the same together.
    pub(crate) terms: Vec<WantedTerm>,
    /// For each clause of the query, what its sums are multiplied with.
    pub(crate) clauses: Vec<f32>,
    /// How much is asked for.
    pub(crate) demand: Demand,
    /// What the query says misspelt.
    pub(crate) spellings: Vec<Box<str>>,
}

/// What is known where a query is read.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// How many tools the index has.
    tools: u32,
    dictionary: &'a Lookups<'a>,
    config: &'a KeywordConfig,
}

/// A term of a query that some tool has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WantedTerm {
    /// Where the tools that have it are found.
    pub(crate) entry: Entry,
    /// How the query says it.
    pub(crate) said: Said,
    /// What the term is worth to a tool of strength 1.
    pub(crate) weight: f32,
    /// Where it stands in the query, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The clauses that it stands in, a bit each.
    pub(crate) clauses: u8,
    /// Terms with equal groups say the same.
    pub(crate) group: usize,
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
    /// Misspelt: [`Wanted::spellings`] has the word at this place.
    Misspelt(usize),
}

impl Wanted {
    /// Reads `text` as a query to an index of `tools` tools with the terms of `dictionary`.
    pub(crate) fn new(text: &str, tools: u32, dictionary: &Dictionary, config: &KeywordConfig) -> Self {
        let lookups = Lookups::new(dictionary);
        let dictionary = &lookups;
        let known = Known { tools, dictionary, config };
        let text = bounded(text, MAX_TEXT);
        let mut tokens = Vec::new();
        let mut tokenizer = Tokenizer::new();
        tokenizer.tokenize(text, Joining::Neighbours, &mut |token| tokens.push(token));
        let starts: Vec<usize> =
            clauses(text).iter().map(|clause| clause.as_ptr() as usize - text.as_ptr() as usize).collect();
        let mut clauses: FxHashMap<Term, u8> = FxHashMap::default();
        for token in &tokens {
            *clauses.entry(token.term).or_default() |= 1 << clause_of(&starts, token.start);
        }
        let mut reader =
            Reader { known, clauses, starts, terms: Vec::new(), rarities: Vec::new(), spellings: Vec::new() };
        let mut seen = FxHashSet::default();
        let foreign = foreign(text, &tokens, |token| dictionary.find(token.term).is_some());
        // Between words without spaces that are known stand endings and the like.
        let is_between = |token: &Token| {
            !foreign.is_empty()
                && text[token.start..token.end].contains(is_spaceless)
                && dictionary.find(token.term).is_none()
        };
        let is_foreign = |token: &Token| {
            foreign.iter().any(|word| word.is_void() && word.start <= token.start && token.end <= word.end)
                || is_between(token)
        };
        for (group, token) in tokens.iter().enumerate() {
            if token.kind != Kind::Stop && !is_foreign(token) && seen.insert(token.term) {
                reader.read(token, group);
            }
        }
        // After all words, so that a word of the query is not taken for one that another word may stand for.
        for (group, token) in tokens.iter().enumerate() {
            let most = dictionary.find(token.term).map(|entry| reader.rarity(entry));
            for other in
                related(token.term).iter().filter(|_| !is_foreign(token)).filter(|other| seen.insert(other.term))
            {
                reader.add_related(*other, most, token, group);
            }
        }
        let is_misspelt = |token: &&Token| {
            let word = &text[token.start..token.end];
            // A name is rarely misspelt, and often looks like another word.
            let is_name = token.start > 0 && word.starts_with(char::is_uppercase);
            token.kind == Kind::Word && !is_name && !is_foreign(token) && dictionary.find(token.term).is_none()
        };
        let misspelt = (0..).zip(&tokens).filter(|(_, token)| is_misspelt(token)).take(MAX_MISSPELT);
        for (group, token) in misspelt {
            reader.spell(&text[token.start..token.end], token, group, &mut tokenizer, &mut seen);
        }
        for (group, word) in (tokens.len()..).zip(&foreign) {
            reader.translate(word, group, &mut seen);
        }
        for (group, word) in (tokens.len()..).zip(&foreign) {
            reader.translate_related(word, group, &mut seen);
        }
        let Reader { mut terms, rarities, starts, spellings, .. } = reader;
        if terms.len() > config.max_terms {
            terms.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            terms.truncate(config.max_terms);
        }
        terms.sort_by_key(|term| term.group);
        Self {
            places: lookups.into_places(),
            clauses: boosts(&terms, starts.len()),
            demand: Demand::new(rarities, rarity(1, tools)),
            terms,
            spellings,
        }
    }
}

struct Reader<'a> {
    known: Known<'a>,
    /// Where the clauses begin.
    starts: Vec<usize>,
    /// The clauses of each term of the query, a bit each.
    clauses: FxHashMap<Term, u8>,
    terms: Vec<WantedTerm>,
    /// What each distinct word would be worth, whether or not any tool has it.
    rarities: Vec<f32>,
    spellings: Vec<Box<str>>,
}

impl Reader<'_> {
    fn read(&mut self, token: &Token, group: usize) {
        let factor = match token.kind {
            Kind::Joined => self.known.config.joined,
            Kind::Whole => self.known.config.whole_name,
            Kind::Number => NUMBER,
            Kind::Word | Kind::Stop => 1.0,
        };
        let said = match token.kind {
            Kind::Joined => Said::Joined,
            Kind::Whole => Said::Whole,
            Kind::Word | Kind::Number | Kind::Stop => Said::Plainly,
        };
        let entry = self.known.dictionary.find(token.term);
        let worth = factor * entry.map_or_else(|| rarity(0, self.known.tools), |entry| self.rarity(entry));
        if let Some(entry) = entry {
            self.add(Found { entry, said, weight: worth }, token, group);
        }
        if said == Said::Plainly {
            self.rarities.push(worth);
        }
    }

    /// Adds a word that may stand for `token`, where any tool has it. It is worth no more than `most`, what the word
    /// that was said is worth.
    fn add_related(&mut self, other: Related, most: Option<f32>, token: &Token, group: usize) {
        if let Some(entry) = self.known.dictionary.find(other.term) {
            let certainty = if token.kind == Kind::Stop { QUESTION } else { 1.0 };
            let weight = certainty * self.known.config.related * self.rarity(entry).min(most.unwrap_or(f32::MAX));
            self.add(Found { entry, said: Said::As(other.word), weight }, token, group);
        }
    }

    /// Adds what `word` may be, where no tool has it.
    fn spell(
        &mut self,
        word: &str,
        token: &Token,
        group: usize,
        tokenizer: &mut Tokenizer,
        seen: &mut FxHashSet<Term>,
    ) {
        let mut folded = String::new();
        fold(word, &mut folded);
        let similar = self.known.dictionary.similar(&folded).into_iter();
        let known = similar.filter_map(|(mistakes, word)| {
            let term = tokenizer.word(word);
            Some((mistakes, word, term, self.known.dictionary.find(term)?))
        });
        let known: Vec<_> = known.take(MAX_SPELLINGS).collect();
        for (mistakes, word, term, entry) in known {
            let certainty = MISSPELT / mistakes as f32;
            let place = self.spellings.len();
            self.spellings.push(word.into());
            if seen.insert(term) {
                let weight = certainty * self.rarity(entry);
                self.add(Found { entry, said: Said::Misspelt(place), weight }, token, group);
            }
            for other in related(term) {
                if let Some(entry) = self.known.dictionary.find(other.term).filter(|_| seen.insert(other.term)) {
                    let weight = certainty * self.known.config.related * self.rarity(entry);
                    self.add(Found { entry, said: Said::As(other.word), weight }, token, group);
                }
            }
        }
    }

    /// Adds what a word of another language means.
    fn translate(&mut self, word: &Foreign, group: usize, seen: &mut FxHashSet<Term>) {
        let mut worth: f32 = 0.0;
        for english in word.meaning {
            if let Some(entry) = self.known.dictionary.find(english.term) {
                worth = worth.max(self.rarity(entry));
                self.add_meaning(*english, TRANSLATED, word, group, seen);
            }
        }
        if !word.meaning.is_empty() && !word.known {
            self.rarities.push(worth);
        }
    }

    /// Adds the words that may stand for what a word of another language means.
    fn translate_related(&mut self, word: &Foreign, group: usize, seen: &mut FxHashSet<Term>) {
        for other in word.meaning.iter().flat_map(|english| related(english.term)) {
            self.add_meaning(*other, TRANSLATED * self.known.config.related, word, group, seen);
        }
    }

    fn add_meaning(&mut self, english: Related, factor: f32, word: &Foreign, group: usize, seen: &mut FxHashSet<Term>) {
        if let Some(entry) = self.known.dictionary.find(english.term).filter(|_| seen.insert(english.term)) {
            let token = Token { term: 0, kind: Kind::Word, start: word.start, end: word.end };
            let weight = factor * self.rarity(entry);
            self.add(Found { entry, said: Said::As(english.word), weight }, &token, group);
        }
    }

    fn add(&mut self, found: Found, token: &Token, group: usize) {
        let Found { entry, said, weight } = found;
        let clause = || 1 << clause_of(&self.starts, token.start);
        let clauses = self.clauses.get(&token.term).copied().unwrap_or_else(clause);
        self.terms.push(WantedTerm { entry, said, weight, start: token.start, end: token.end, clauses, group });
    }

    fn rarity(&self, entry: Entry) -> f32 {
        rarity(entry.having(), self.known.tools)
    }
}

/// What the sums of each of the `clauses` clauses are multiplied with: those of one with few or common words are made
/// up for it in part, since it may want a tool as much as a longer one does.
fn boosts(terms: &[WantedTerm], clauses: usize) -> Vec<f32> {
    // What a tool that has every term of a clause, as strongly as can be, would get for it.
    let ideal = |clause: usize| -> f32 {
        let same = terms.chunk_by(|a, b| a.group == b.group).filter(|same| same[0].clauses & (1 << clause) != 0);
        same.map(|same| same.iter().map(|term| term.weight).fold(0.0, f32::max)).sum()
    };
    let ideals: Vec<f32> = (0..clauses.max(1)).map(ideal).collect();
    let greatest = ideals.iter().copied().fold(0.0, f32::max);
    ideals.iter().map(|ideal| if *ideal > 0.0 { (greatest / ideal).powf(EVEN) } else { 1.0 }).collect()
}

/// The place of the clause in which `at` lies, of those that begin at `starts`.
fn clause_of(starts: &[usize], at: usize) -> usize {
    starts.iter().rposition(|start| *start <= at).unwrap_or(0)
}

/// A term that some tool has.
#[derive(Clone, Copy)]
struct Found {
    entry: Entry,
    said: Said,
    weight: f32,
}
