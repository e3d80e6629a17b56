//! The router: keeps the segments of the indexes that live, and makes new ones.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use gateway_core::{Index, Result, Router, ServerTools};
use rustc_hash::FxHashMap;

use crate::config::KeywordConfig;
use crate::index::KeywordIndex;
use crate::rank::{Catalogue, Rooms};
use crate::segment::Segment;
use crate::spelling::Spelling;
use crate::tokenize::Tokenizer;

/// Ranks tools by the words that they share with a query.
///
/// Each server's tools are read once, however many indexes use them: an index over hundreds of servers of which
/// one changed costs the reading of that one. What no index uses any more is dropped.
pub struct KeywordRouter {
    config: Arc<KeywordConfig>,
    segments: Mutex<FxHashMap<u64, Weak<Segment>>>,
    rooms: Arc<Rooms>,
    /// The words of all tools that were ever read, or as many as it holds.
    spelling: Mutex<Arc<Spelling>>,
}

impl KeywordRouter {
    /// A router with these settings.
    pub fn new(config: KeywordConfig) -> Self {
        Self { config: Arc::new(config), segments: Mutex::default(), rooms: Arc::default(), spelling: Mutex::default() }
    }

    /// The segment of each of `servers`: the one in use where there is one, else a new one. Reads without
    /// holding the lock; where two callers read the same server at once, the second one's segment is kept.
    fn segments(&self, servers: &[Arc<ServerTools>], tokenizer: &mut Tokenizer) -> Vec<Arc<Segment>> {
        let known: Vec<Option<Arc<Segment>>> = {
            let kept = self.lock();
            let find = |server: &Arc<ServerTools>| {
                let segment = kept.get(&server.content_hash())?.upgrade()?;
                // Were two hashes ever equal, no match may point past the end of a server's tools.
                (segment.tools() as usize == server.tools().len()).then_some(segment)
            };
            servers.iter().map(find).collect()
        };
        let segments: Vec<Arc<Segment>> = servers
            .iter()
            .zip(known)
            .map(|(server, known)| known.unwrap_or_else(|| Arc::new(Segment::new(server, &self.config, tokenizer))))
            .collect();
        let mut kept = self.lock();
        kept.retain(|_, segment| segment.strong_count() > 0);
        for (server, segment) in servers.iter().zip(&segments) {
            kept.insert(server.content_hash(), Arc::downgrade(segment));
        }
        segments
    }

    /// The words known so far and those that `tokenizer` has met.
    fn spelling(&self, tokenizer: &Tokenizer, catalogue: &Catalogue) -> Arc<Spelling> {
        let mut spelling = self.spelling.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stemming = Tokenizer::new();
        let is_known = |word: &str| catalogue.dictionary().find(stemming.word(word)).is_some();
        if let Some(more) = tokenizer.words().and_then(|words| spelling.with(words, is_known)) {
            *spelling = Arc::new(more);
        }
        Arc::clone(&spelling)
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Weak<Segment>>> {
        // The map is whole whenever the lock is free, even after a panic elsewhere.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Router for KeywordRouter {
    fn name(&self) -> &str {
        "keyword"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let mut tokenizer = Tokenizer::with_words();
        let catalogue = Catalogue::new(self.segments(servers, &mut tokenizer));
        let spelling = self.spelling(&tokenizer, &catalogue);
        Ok(Arc::new(KeywordIndex::new(Arc::clone(&self.config), catalogue, spelling, Arc::clone(&self.rooms))))
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
