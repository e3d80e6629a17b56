//! The router: makes indexes, and keeps the blocks of those that live for the next ones.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use gateway_core::{Index, Result, Router, ServerTools};
use rustc_hash::FxHashMap;

use crate::block::{Block, Piece};
use crate::config::KeywordConfig;
use crate::cut::{Part, cut};
use crate::dictionary::Dictionary;
use crate::index::KeywordIndex;
use crate::rank::{Catalogue, Rooms};
use crate::segment;
use crate::tokenize::Tokenizer;

/// Ranks tools by the words that they share with a query.
///
/// An index is made of blocks, the inverted lists of some two thousand tools each. Where of thousands of servers one
/// changed, its block is made anew: of the postings in the block before, and of that one server, which is the only
/// one to be read. What an index is made of depends on its servers alone, so it makes no difference to its answers
/// what was indexed before. What no index uses any more is dropped.
pub struct KeywordRouter {
    config: Arc<KeywordConfig>,
    kept: Mutex<Kept>,
    rooms: Arc<Rooms>,
}

/// What the living indexes are made of.
#[derive(Default)]
struct Kept {
    blocks: FxHashMap<Box<[Part]>, Weak<Block>>,
    /// A block with the part, and its place there.
    homes: FxHashMap<Part, (Weak<Block>, Range<u32>)>,
}

impl Kept {
    fn block(&self, parts: &[Part]) -> Option<Arc<Block>> {
        self.blocks.get(parts)?.upgrade()
    }

    fn piece(&self, part: &Part) -> Option<Piece> {
        let (block, tools) = self.homes.get(part)?;
        Some(Piece { block: block.upgrade()?, tools: tools.clone() })
    }

    fn keep(&mut self, parts: &[Part], block: &Arc<Block>) {
        let mut end = 0;
        for part in parts {
            let first = end;
            end += part.tools;
            self.homes.insert(*part, (Arc::downgrade(block), first..end));
        }
        self.blocks.insert(parts.into(), Arc::downgrade(block));
    }

    fn forget_dead(&mut self) {
        self.blocks.retain(|_, block| block.strong_count() > 0);
        self.homes.retain(|_, (block, _)| block.strong_count() > 0);
    }
}

impl KeywordRouter {
    /// A router with these settings.
    pub fn new(config: KeywordConfig) -> Self {
        Self { config: Arc::new(config), kept: Mutex::default(), rooms: Arc::default() }
    }

    /// The blocks of an index over `servers`: those in use where there are such, else new ones. Reads without
    /// holding the lock; where two callers make the same block at once, each keeps its own.
    fn blocks(&self, servers: &[Arc<ServerTools>]) -> Vec<Arc<Block>> {
        let wanted = cut(servers);
        let keys: Vec<Vec<Part>> = wanted.iter().map(|block| block.iter().map(|(_, part)| *part).collect()).collect();
        let known: Vec<_> = {
            let kept = self.lock();
            let pieces = |parts: &[Part]| parts.iter().map(|part| kept.piece(part)).collect::<Vec<_>>();
            keys.iter().map(|parts| kept.block(parts).ok_or_else(|| pieces(parts))).collect()
        };
        let mut tokenizer = Tokenizer::with_words();
        let mut make = |parts: &[(usize, Part)], known: Vec<Option<Piece>>| {
            let mut pieces: Vec<Piece> = Vec::with_capacity(known.len());
            for ((place, part), known) in parts.iter().zip(known) {
                let piece = known.unwrap_or_else(|| self.read(&servers[*place], *part, &mut tokenizer));
                match pieces.last_mut() {
                    // Neighbours stay neighbours.
                    Some(last) if last.is_followed_by(&piece) => last.tools.end = piece.tools.end,
                    _ => pieces.push(piece),
                }
            }
            Arc::new(Block::join(&pieces))
        };
        let blocks: Vec<_> =
            wanted.iter().zip(known).map(|(parts, known)| known.unwrap_or_else(|pieces| make(parts, pieces))).collect();
        let mut kept = self.lock();
        for (parts, block) in keys.iter().zip(&blocks) {
            kept.keep(parts, block);
        }
        kept.forget_dead();
        blocks
    }

    fn read(&self, server: &ServerTools, part: Part, tokenizer: &mut Tokenizer) -> Piece {
        let tools = part.first as usize..(part.first + part.tools) as usize;
        Piece { block: Arc::new(segment::read(server, tools, &self.config, tokenizer)), tools: 0..part.tools }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // The maps hold nothing that could be half done, even after a panic elsewhere.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Router for KeywordRouter {
    fn name(&self) -> &str {
        "keyword"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let tools = servers.iter().map(|server| server.tools().len() as u32);
        let catalogue = Catalogue::new(tools, Dictionary::new(self.blocks(servers)));
        Ok(Arc::new(KeywordIndex::new(Arc::clone(&self.config), catalogue, Arc::clone(&self.rooms))))
    }
}

impl Default for KeywordRouter {
    fn default() -> Self {
        Self::new(KeywordConfig::default())
    }
}

impl fmt::Debug for KeywordRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeywordRouter").field("config", &self.config).finish_non_exhaustive()
    }
}
