//! Tools that stand together in an index → one inverted list. Immutable.

use std::mem::size_of_val;
use std::ops::Range;
use std::sync::Arc;

use crate::config::Field;
use crate::spelling::{Part, Words};
use crate::tokenize::Term;

/// Most tools of a block: a posting has sixteen bits for their number.
pub(crate) const MOST_TOOLS: u32 = 1 << 16;

/// How many terms share one entry of a block's directory, about.
const TERMS_PER_ENTRY: usize = 4;

/// For each term, which tools have it and how strongly. Knows nothing of other tools, and not which servers its
/// tools belong to.
#[derive(Debug)]
pub(crate) struct Block {
    tools: u32,
    /// The distinct terms, ascending.
    terms: Box<[Term]>,
    /// Where the postings of each term begin, and the end of the last.
    starts: Box<[u32]>,
    /// By ascending tool.
    postings: Box<[Packed]>,
    /// The fields of each posting.
    fields: Box<[FieldSet]>,
    /// Where the terms with the same first bits begin, and the end of the last. Terms are fingerprints, so all
    /// first bits are about as frequent; where they are not, the search takes longer.
    directory: Box<[u32]>,
    /// By how much a term is shifted for its first bits.
    shift: u32,
    /// The words that misspelt ones are taken for.
    words: Words,
}

/// One tool that has a term.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Posting {
    /// The tool's place in the block.
    pub(crate) tool: u32,
    /// How much the term says of the tool, 0..1.
    pub(crate) strength: f32,
}

/// A posting in four bytes. Sixteen bits for the strength move no tool but where sums are all but equal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    tool: u16,
    /// In units of [`Packed::UNIT`].
    strength: u16,
}

impl Packed {
    const UNIT: f32 = 1.0 / 65_536.0;

    fn new(posting: Posting) -> Self {
        debug_assert!(posting.tool < MOST_TOOLS);
        // At least one, so that no posting is lost; a cast from a float saturates.
        Self { tool: posting.tool as u16, strength: ((posting.strength / Self::UNIT).round() as u16).max(1) }
    }

    /// The posting itself.
    pub(crate) fn get(self) -> Posting {
        Posting { tool: u32::from(self.tool), strength: f32::from(self.strength) * Self::UNIT }
    }
}

/// Fields that a term stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(u8);

impl FieldSet {
    pub(crate) fn insert(&mut self, field: Field) {
        self.0 |= 1 << field as u8;
    }

    /// The most telling one.
    pub(crate) fn first(self) -> Option<Field> {
        Field::ALL.into_iter().find(|field| self.0 & (1 << *field as u8) != 0)
    }
}

/// Neighbours in a block, which are to stand in another one.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) block: Arc<Block>,
    pub(crate) tools: Range<u32>,
}

impl Piece {
    /// Whether the tools of `next` come right after these in the same block.
    pub(crate) fn is_followed_by(&self, next: &Self) -> bool {
        Arc::ptr_eq(&self.block, &next.block) && self.tools.end == next.tools.start
    }
}

impl Block {
    /// A block of `tools` tools, all of one server, with these postings and words.
    pub(crate) fn new(tools: u32, mut found: Vec<(Term, Posting, FieldSet)>, words: Words) -> Self {
        found.sort_unstable_by_key(|(term, posting, _)| (*term, posting.tool));
        let mut lists = Lists::with_capacity(found.len());
        for (term, posting, fields) in found {
            lists.push(term, Packed::new(posting), fields);
        }
        lists.finish(tools, words)
    }

    /// A block of the tools of all `pieces`, in that order.
    pub(crate) fn join(pieces: &[Piece]) -> Self {
        let (mut runs, mut parts) = (Vec::new(), Vec::with_capacity(pieces.len()));
        let (mut tools, mut postings) = (0_u32, 0);
        for Piece { block, tools: wanted } in pieces {
            // What turns a place in the one block into that in the other, whichever is the greater.
            let moved = tools.wrapping_sub(wanted.start);
            parts.push(Part { words: &block.words, tools: wanted.clone(), moved });
            for (place, term) in block.terms.iter().enumerate() {
                let span = block.narrowed(block.span(place), wanted);
                if !span.is_empty() {
                    postings += span.len();
                    runs.push((*term, block, span, moved));
                }
            }
            tools += wanted.len() as u32;
        }
        // Stable, so that the tools of a term stay in order. It also makes use of the sorted runs.
        runs.sort_by_key(|(term, ..)| *term);
        let mut lists = Lists::with_capacity(postings);
        for (term, block, span, moved) in runs {
            for (packed, fields) in block.postings[span.clone()].iter().zip(&block.fields[span]) {
                let tool = u32::from(packed.tool).wrapping_add(moved) as u16;
                lists.push(term, Packed { tool, ..*packed }, *fields);
            }
        }
        lists.finish(tools, Words::join(&parts))
    }

    /// How many tools it has.
    pub(crate) fn tools(&self) -> u32 {
        self.tools
    }

    /// Where the postings of `term` are, if any.
    pub(crate) fn find(&self, term: Term) -> Option<Range<u32>> {
        let entry = (term >> self.shift) as usize;
        let (begin, end) = (self.directory[entry] as usize, self.directory[entry + 1] as usize);
        let place = begin + self.terms[begin..end].binary_search(&term).ok()?;
        Some(self.starts[place]..self.starts[place + 1])
    }

    /// The postings of a term that has them at `span`, by ascending tool.
    pub(crate) fn postings(&self, span: Range<u32>) -> &[Packed] {
        &self.postings[span.start as usize..span.end as usize]
    }

    /// The posting for `tool` of a term that has its postings at `span`, with its fields.
    pub(crate) fn posting(&self, span: Range<u32>, tool: u32) -> Option<(Posting, FieldSet)> {
        let span = span.start as usize..span.end as usize;
        let (postings, fields) = (&self.postings[span.clone()], &self.fields[span]);
        let at = postings.binary_search_by_key(&tool, |posting| u32::from(posting.tool)).ok()?;
        Some((postings[at].get(), fields[at]))
    }

    /// How much memory it holds.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.terms)
            + size_of_val(&*self.starts)
            + size_of_val(&*self.postings)
            + size_of_val(&*self.fields)
            + size_of_val(&*self.directory)
            + self.words.bytes()
    }

    /// The words that misspelt ones are taken for.
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    fn span(&self, place: usize) -> Range<usize> {
        self.starts[place] as usize..self.starts[place + 1] as usize
    }

    /// The part of a span of postings that is of `tools`.
    fn narrowed(&self, span: Range<usize>, tools: &Range<u32>) -> Range<usize> {
        if *tools == (0..self.tools) {
            return span;
        }
        let postings = &self.postings[span.clone()];
        let before = |tool: u32| span.start + postings.partition_point(|posting| u32::from(posting.tool) < tool);
        before(tools.start)..before(tools.end)
    }
}

/// A block being made.
struct Lists {
    terms: Vec<Term>,
    starts: Vec<u32>,
    postings: Vec<Packed>,
    fields: Vec<FieldSet>,
}

impl Lists {
    fn with_capacity(postings: usize) -> Self {
        let (postings, fields) = (Vec::with_capacity(postings), Vec::with_capacity(postings));
        Self { terms: Vec::new(), starts: Vec::new(), postings, fields }
    }

    /// Adds a posting; terms and, of one term, tools must come in ascending order.
    fn push(&mut self, term: Term, posting: Packed, fields: FieldSet) {
        if self.terms.last() != Some(&term) {
            self.terms.push(term);
            self.starts.push(self.postings.len() as u32);
        }
        self.postings.push(posting);
        self.fields.push(fields);
    }

    fn finish(mut self, tools: u32, words: Words) -> Block {
        self.starts.push(self.postings.len() as u32);
        let bits = (self.terms.len() / TERMS_PER_ENTRY).max(2).ilog2();
        let shift = Term::BITS - bits;
        let mut directory = vec![0; (1 << bits) + 1];
        for term in &self.terms {
            directory[(term >> shift) as usize + 1] += 1;
        }
        for entry in 1..directory.len() {
            directory[entry] += directory[entry - 1];
        }
        Block {
            tools,
            terms: self.terms.into(),
            starts: self.starts.into(),
            postings: self.postings.into(),
            fields: self.fields.into(),
            directory: directory.into(),
            shift,
            words,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block in which tool n has the terms that divide n + 1, each as strongly as its part of it.
    fn divisors(tools: u32) -> Arc<Block> {
        let mut found = Vec::new();
        for tool in 0..tools {
            for divisor in (1..=tool + 1).filter(|divisor| (tool + 1) % divisor == 0) {
                let mut fields = FieldSet::default();
                fields.insert(Field::ALL[divisor as usize % Field::COUNT]);
                // Some share their first bits and some do not.
                let term = if divisor % 2 == 0 { u64::from(divisor) } else { u64::from(divisor) << 57 };
                found.push((term, Posting { tool, strength: divisor as f32 / (tool + 2) as f32 }, fields));
            }
        }
        Arc::new(Block::new(tools, found, Words::default()))
    }

    fn all(block: &Block) -> Vec<(Term, u32, u32, FieldSet)> {
        let mut all = Vec::new();
        for &term in &block.terms {
            let span = block.find(term).expect("it has postings");
            for posting in block.postings(span.clone()) {
                let Posting { tool, strength } = posting.get();
                let (again, fields) = block.posting(span.clone(), tool).expect("it is there");
                assert_eq!(again.strength.to_bits(), strength.to_bits());
                all.push((term, tool, strength.to_bits(), fields));
            }
        }
        all
    }

    #[test]
    fn a_block_cut_to_pieces_and_joined_is_as_before() {
        let block = divisors(100);
        let piece = |tools| Piece { block: Arc::clone(&block), tools };
        let joined = Block::join(&[piece(0..1), piece(1..40), piece(40..40), piece(40..100)]);
        assert_eq!(all(&joined), all(&block));
        assert_eq!(joined.tools(), 100);
        let turned = Arc::new(Block::join(&[piece(60..100), piece(0..60)]));
        let back = [40..100, 0..40].map(|tools| Piece { block: Arc::clone(&turned), tools });
        assert_eq!(all(&Block::join(&back)), all(&block));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let block = divisors(10);
        assert!(block.find(11).is_none() && block.find(Term::MAX).is_none());
        let even = block.find(2).expect("it has postings");
        assert!(block.posting(even, 0).is_none());
        let empty = Block::join(&[]);
        assert!(empty.find(0).is_none() && empty.tools() == 0);
    }

    #[test]
    fn no_strength_is_packed_to_nothing() {
        for (strength, expected) in [(0.0, Packed::UNIT), (0.5, 0.5), (0.25, 0.25), (1.0, 1.0 - Packed::UNIT)] {
            assert_eq!(Packed::new(Posting { tool: 7, strength }).get().strength, expected);
        }
    }
}
