//! Tools of one server → an inverted list.

use std::ops::Range;

use gateway_core::ServerTools;
use rustc_hash::FxHashMap;

use crate::block::{Block, FieldSet, Posting};
use crate::config::{Field, KeywordConfig};
use crate::fields::{bounded, each_text};
use crate::score::{saturate, weighted_frequency};
use crate::spelling::Words;
use crate::tokenize::{Joining, Kind, Term, Token, Tokenizer};

/// How many words of one field of one tool are counted.
const MAX_WORDS: u32 = 1_000;

/// How much of what a server says of itself is read, in bytes. All its tools share these words, and the
/// first sentences name its subject.
const MAX_ABOUT: usize = 512;

/// Reads `tools` of `server`, with a tokenizer that keeps words. What is found does not depend on other tools.
pub(crate) fn read(
    server: &ServerTools,
    tools: Range<usize>,
    config: &KeywordConfig,
    tokenizer: &mut Tokenizer,
) -> Block {
    let mut found = Vec::new();
    let mut shared = Counts::default();
    shared.add(tokenizer, Field::Server, server.server());
    shared.add(tokenizer, Field::About, bounded(server.about(), MAX_ABOUT));
    let mut counts = Counts::default();
    let count = tools.len() as u32;
    for (tool, declared) in (0..).zip(&server.tools()[tools]) {
        counts.clone_from(&shared);
        each_text(declared, &mut |field, text| counts.add(tokenizer, field, text));
        counts.weigh(config, |term, strength, fields| found.push((term, Posting { tool, strength }, fields)));
    }
    Block::new(count, found, Words::new(&tokenizer.take_words()))
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
