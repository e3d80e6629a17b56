//! The blocks of an index, and what is known of a term in all of them.

use std::ops::Range;
use std::sync::Arc;

use crate::block::{Block, FieldSet, Posting};
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

    /// The blocks, each with the places of its tools in the index.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (&Block, Range<usize>)> {
        let places = self.offsets.windows(2).map(|span| span[0] as usize..span[1] as usize);
        self.blocks.iter().map(|block| &**block).zip(places)
    }

    /// How many tools have `term`.
    pub(crate) fn having(&self, term: Term) -> u32 {
        self.blocks.iter().map(|block| block.postings(term).len() as u32).sum()
    }

    /// The posting of `term` for the tool at `place`, with its fields.
    pub(crate) fn posting(&self, term: Term, place: u32) -> Option<(Posting, FieldSet)> {
        let block = self.offsets.partition_point(|offset| *offset <= place).checked_sub(1)?;
        self.blocks.get(block)?.posting(term, place - self.offsets[block])
    }

    /// How much memory the blocks hold.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes()).sum()
    }
}
