//! The blocks of an index, and what is known of a term in all of them.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::block::{Block, FieldSet, Packed, Posting};
use crate::tokenize::Term;

/// For each term, which tools of an index have it and how strongly.
#[derive(Debug)]
pub(crate) struct Dictionary {
    blocks: Box<[Arc<Block>]>,
    /// The place of each block's first tool in the index, and the end of the last.
    offsets: Box<[u32]>,
}

impl Dictionary {
    /// Of the tools of `blocks`, in that order.
    pub(crate) fn new(blocks: Vec<Arc<Block>>) -> Self {
        let mut offsets = vec![0];
        let mut end = 0;
        for block in &blocks {
            end += block.tools();
            offsets.push(end);
        }
        Self { blocks: blocks.into(), offsets: offsets.into() }
    }

    /// The places in the index of the tools of each block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|span| span[0] as usize..span[1] as usize)
    }

    /// The postings that the block at a place has of a term.
    pub(crate) fn postings(&self, places: &Places, entry: Entry, block: usize) -> &[Packed] {
        places.span(entry, block).map_or(&[], |span| self.blocks[block].postings(span))
    }

    /// The posting of a term for the tool at `place` in the index, with its fields.
    pub(crate) fn posting(&self, places: &Places, entry: Entry, place: u32) -> Option<(Posting, FieldSet)> {
        let block = self.offsets.partition_point(|offset| *offset <= place).checked_sub(1)?;
        let span = places.span(entry, block)?;
        self.blocks[block].posting(span, place - self.offsets[block])
    }

    /// How much memory the blocks hold.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes()).sum()
    }
}

/// A term that some tool has, as [`Lookups`] found it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// How many tools have it.
    having: u32,
    /// Where its places begin and end in [`Places`].
    begin: u32,
    end: u32,
}

impl Entry {
    /// How many tools have the term.
    pub(crate) fn having(self) -> u32 {
        self.having
    }
}

/// What one query looks up. A term is searched for once in each block, however often it is asked for.
#[derive(Debug)]
pub(crate) struct Lookups<'a> {
    dictionary: &'a Dictionary,
    found: RefCell<Found>,
}

#[derive(Debug, Default)]
struct Found {
    entries: FxHashMap<Term, Option<Entry>>,
    places: Places,
}

/// Where the terms that a query looked up are: of one entry after the other, by ascending block.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Place>);

impl Places {
    fn span(&self, entry: Entry, block: usize) -> Option<Range<u32>> {
        let places = &self.0[entry.begin as usize..entry.end as usize];
        let at = places.binary_search_by_key(&block, |place| place.block as usize).ok()?;
        Some(places[at].span.clone())
    }
}

/// Where a block has the postings of a term.
#[derive(Clone, Debug)]
struct Place {
    block: u32,
    span: Range<u32>,
}

impl<'a> Lookups<'a> {
    /// In `dictionary`.
    pub(crate) fn new(dictionary: &'a Dictionary) -> Self {
        Self { dictionary, found: RefCell::default() }
    }

    /// Looks a term up.
    pub(crate) fn find(&self, term: Term) -> Option<Entry> {
        let Found { entries, places: Places(places) } = &mut *self.found.borrow_mut();
        *entries.entry(term).or_insert_with(|| {
            let begin = places.len() as u32;
            for (block, searched) in (0..).zip(&self.dictionary.blocks) {
                places.extend(searched.find(term).map(|span| Place { block, span }));
            }
            let having = places[begin as usize..].iter().map(|place| place.span.len() as u32).sum();
            (having > 0).then_some(Entry { having, begin, end: places.len() as u32 })
        })
    }

    /// The words of the tools that `word` is likely to be, by the number of mistakes.
    pub(crate) fn similar(&self, word: &str) -> Vec<(usize, &'a str)> {
        let mut found = Vec::new();
        for block in &self.dictionary.blocks {
            block.words().similar(word, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where everything is that was found.
    pub(crate) fn into_places(self) -> Places {
        self.found.into_inner().places
    }
}
