//! The inverted lists of all segments of an index, merged.
//!
//! The strengths are copied from the segments, eight bytes per posting: with 500 servers of 20 tools, following
//! each term through the segments took four times as long as through one list.

use std::sync::Arc;

use crate::segment::{Posting, Segment};
use crate::tokenize::Term;

/// For each term, which tools of an index have it and how strongly.
#[derive(Debug)]
pub(crate) struct Dictionary {
    /// The distinct terms, ascending.
    terms: Box<[Term]>,
    /// Where the postings of each term begin, and the end of the last.
    starts: Box<[u32]>,
    /// By ascending place of the tool in the index.
    postings: Box<[Posting]>,
}

/// The place of a term in a dictionary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry(usize);

impl Dictionary {
    /// Merges the terms of `segments`. `offsets` has the place in the index of each segment's first tool.
    pub(crate) fn new(segments: &[Arc<Segment>], offsets: &[u32]) -> Self {
        let mut all: Vec<(Term, u32, &[Posting])> = Vec::new();
        for (segment, offset) in segments.iter().zip(offsets) {
            all.extend(segment.terms().map(|(term, postings)| (term, *offset, postings)));
        }
        // Stable, so that the tools of a term stay in order. It also makes use of the sorted runs.
        all.sort_by_key(|(term, ..)| *term);
        let (mut terms, mut starts) = (Vec::new(), Vec::new());
        let mut merged = Vec::with_capacity(all.iter().map(|(.., postings)| postings.len()).sum());
        for (term, offset, postings) in all {
            if terms.last() != Some(&term) {
                terms.push(term);
                starts.push(merged.len() as u32);
            }
            merged.extend(postings.iter().map(|posting| Posting { tool: posting.tool + offset, ..*posting }));
        }
        starts.push(merged.len() as u32);
        Self { terms: terms.into(), starts: starts.into(), postings: merged.into() }
    }

    /// Looks a term up.
    pub(crate) fn find(&self, term: Term) -> Option<Entry> {
        self.terms.binary_search(&term).ok().map(Entry)
    }

    /// The term's postings.
    pub(crate) fn postings(&self, entry: Entry) -> &[Posting] {
        &self.postings[self.starts[entry.0] as usize..self.starts[entry.0 + 1] as usize]
    }
}
