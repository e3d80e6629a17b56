//! The tools of one server → an inverted list.

use std::ops::Range;

use gateway_core::ServerTools;
use rustc_hash::FxHashMap;

use crate::config::{Field, KeywordConfig};
use crate::fields::{bounded, each_text};
use crate::score::{saturate, weighted_frequency};
use crate::tokenize::{Joining, Kind, Term, Token, Tokenizer};

/// How many words of one field of one tool are counted.
const MAX_WORDS: u32 = 1_000;

/// How much of what a server says of itself is read, in bytes. All its tools share these words, and the
/// first sentences name its subject.
const MAX_ABOUT: usize = 512;

/// What is known of the tools of one server: for each term, which tools have it and how strongly. Immutable,
/// and independent of the tools of other servers.
#[derive(Debug)]
pub(crate) struct Segment {
    tools: u32,
    /// The distinct terms, ascending.
    terms: Box<[Term]>,
    /// Where the postings of each term begin, and the end of the last.
    starts: Box<[u32]>,
    postings: Box<[Posting]>,
    /// The fields of each posting.
    fields: Box<[FieldSet]>,
}

/// One tool that has a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    /// The tool's place: in a segment at its server, in a dictionary in the index.
    pub(crate) tool: u32,
    /// How much the term says of the tool, 0..1.
    pub(crate) strength: f32,
}

/// Fields that a term stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(u8);

impl FieldSet {
    fn insert(&mut self, field: Field) {
        self.0 |= 1 << field as u8;
    }

    /// The most telling one.
    pub(crate) fn first(self) -> Option<Field> {
        Field::ALL.into_iter().find(|field| self.0 & (1 << *field as u8) != 0)
    }
}

impl Segment {
    /// Reads the tools of `server`.
    pub(crate) fn new(server: &ServerTools, config: &KeywordConfig, tokenizer: &mut Tokenizer) -> Self {
        let mut found = Vec::new();
        let mut shared = Counts::default();
        shared.add(tokenizer, Field::Server, server.server());
        shared.add(tokenizer, Field::About, bounded(server.about(), MAX_ABOUT));
        let mut counts = Counts::default();
        for (tool, declared) in (0..).zip(server.tools()) {
            counts.clone_from(&shared);
            each_text(declared, &mut |field, text| counts.add(tokenizer, field, text));
            counts.weigh(config, |term, strength, fields| found.push((term, Posting { tool, strength }, fields)));
        }
        found.sort_unstable_by_key(|(term, posting, _)| (*term, posting.tool));
        let (mut terms, mut starts) = (Vec::new(), Vec::new());
        for (at, (term, ..)) in (0..).zip(&found) {
            if terms.last() != Some(term) {
                terms.push(*term);
                starts.push(at);
            }
        }
        starts.push(found.len() as u32);
        Self {
            tools: server.tools().len() as u32,
            terms: terms.into(),
            starts: starts.into(),
            postings: found.iter().map(|(_, posting, _)| *posting).collect(),
            fields: found.iter().map(|(_, _, fields)| *fields).collect(),
        }
    }

    /// How many tools it has.
    pub(crate) fn tools(&self) -> u32 {
        self.tools
    }

    /// Its distinct terms, ascending, each with its postings, by ascending tool.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (Term, &[Posting])> {
        self.terms.iter().enumerate().map(|(place, term)| (*term, &self.postings[self.span(place)]))
    }

    /// The posting of `term` for `tool`, with its fields.
    pub(crate) fn find(&self, term: Term, tool: u32) -> Option<(Posting, FieldSet)> {
        let span = self.span(self.terms.binary_search(&term).ok()?);
        let (postings, fields) = (&self.postings[span.clone()], &self.fields[span]);
        let at = postings.binary_search_by_key(&tool, |posting| posting.tool).ok()?;
        Some((postings[at], fields[at]))
    }

    fn span(&self, place: usize) -> Range<usize> {
        self.starts[place] as usize..self.starts[place + 1] as usize
    }
}

/// How often the terms of one tool stand in its fields.
#[derive(Clone, Default)]
struct Counts {
    terms: FxHashMap<Term, [u16; Field::COUNT]>,
    words: [u32; Field::COUNT],
}

impl Counts {
    fn add(&mut self, tokenizer: &mut Tokenizer, field: Field, text: &str) {
        let joining = match field {
            Field::About | Field::Description | Field::ParameterText => Joining::Identifiers,
            Field::Name | Field::Title | Field::Server | Field::ParameterName => Joining::Neighbours,
        };
        let words = &mut self.words[field as usize];
        tokenizer.tokenize(text, joining, &mut |Token { term, kind, .. }| {
            let counts = match kind {
                Kind::Stop => false,
                Kind::Whole => matches!(field, Field::Name | Field::Title),
                Kind::Word | Kind::Number | Kind::Joined => true,
            };
            if !counts || *words >= MAX_WORDS {
                return;
            }
            let count = &mut self.terms.entry(term).or_default()[field as usize];
            match kind {
                Kind::Word | Kind::Number => {
                    *words += 1;
                    *count = count.saturating_add(1);
                }
                // The same two words may be neighbours, an identifier and the whole name.
                Kind::Joined | Kind::Whole | Kind::Stop => *count = (*count).max(1),
            }
        });
    }

    fn weigh(&self, config: &KeywordConfig, mut emit: impl FnMut(Term, f32, FieldSet)) {
        for (term, counts) in &self.terms {
            let (mut frequency, mut fields) = (0.0, FieldSet::default());
            for field in Field::ALL {
                let (count, words) = (counts[field as usize], self.words[field as usize]);
                if count > 0 && config.field(field).weight > 0.0 {
                    frequency += weighted_frequency(config.field(field), f32::from(count), words as f32);
                    fields.insert(field);
                }
            }
            if frequency > 0.0 {
                emit(*term, saturate(frequency, config.k1), fields);
            }
        }
    }
}
