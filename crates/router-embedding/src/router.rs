//! The router: keeps the segments of the indexes that live, and makes new ones.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Index, Result, Router, ServerTools};
use rustc_hash::FxHashMap;

use crate::document::document;
use crate::embedder::{Embedder, Role};
use crate::index::EmbeddingIndex;
use crate::matrix::{Matrix, Row};
use crate::segment::{Catalogue, Segment};
use crate::static_embedder::StaticEmbedder;

/// How many texts are embedded at a time. What one batch brought is kept even where the next one fails.
const BATCH: usize = 256;

/// Ranks tools by how near their texts are to a query in meaning.
///
/// Each server's tools are embedded once, however many indexes use them. What no index uses any more is dropped.
pub struct EmbeddingRouter {
    embedder: Arc<dyn Embedder>,
    segments: Mutex<FxHashMap<u64, Weak<Segment>>>,
}

impl EmbeddingRouter {
    /// A router with this model.
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self { embedder, segments: Mutex::default() }
    }

    /// The segment of each of `servers`: the one in use where there is one, else a new one. Embeds without holding
    /// the lock; where two callers embed the same server at once, the second one's segment is kept.
    async fn segments(&self, servers: &[Arc<ServerTools>]) -> Result<Vec<Arc<Segment>>> {
        let known: Vec<Option<Arc<Segment>>> = {
            let kept = self.lock();
            let find = |server: &Arc<ServerTools>| {
                let segment = kept.get(&server.content_hash())?.upgrade()?;
                // Were two hashes ever equal, no match may point past the end of a server's tools.
                (segment.0.rows() == server.tools().len()).then_some(segment)
            };
            servers.iter().map(find).collect()
        };
        let mut segments = Vec::with_capacity(servers.len());
        for (server, known) in servers.iter().zip(known) {
            segments.push(match known {
                Some(segment) => segment,
                None => Arc::new(Segment(Matrix::new(&self.rows(server).await?))),
            });
        }
        let mut kept = self.lock();
        kept.retain(|_, segment| segment.strong_count() > 0);
        for (server, segment) in servers.iter().zip(&segments) {
            kept.insert(server.content_hash(), Arc::downgrade(segment));
        }
        drop(kept);
        Ok(segments)
    }

    async fn rows(&self, server: &ServerTools) -> Result<Vec<Row>> {
        let documents: Vec<String> = server.tools().iter().map(|tool| document(server, tool)).collect();
        let mut rows = Vec::with_capacity(documents.len());
        for batch in documents.chunks(BATCH) {
            let texts: Vec<&str> = batch.iter().map(String::as_str).collect();
            let vectors = self.embedder.embed(&texts, Role::Document).await?;
            if vectors.len() != texts.len() {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "the embedder gave another number of vectors than of texts",
                ));
            }
            rows.extend(vectors.iter().map(|vector| Row::new(vector.as_ref())));
        }
        Ok(rows)
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Weak<Segment>>> {
        // The map is whole whenever the lock is free, even after a panic elsewhere.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Router for EmbeddingRouter {
    fn name(&self) -> &str {
        "embedding"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let catalogue = Catalogue::new(self.segments(servers).await?);
        Ok(Arc::new(EmbeddingIndex::new(Arc::clone(&self.embedder), servers, catalogue)))
    }
}

/// With the model that comes with this crate.
impl Default for EmbeddingRouter {
    fn default() -> Self {
        Self::new(Arc::new(StaticEmbedder::shipped()))
    }
}

impl fmt::Debug for EmbeddingRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingRouter").field("embedder", &self.embedder).finish_non_exhaustive()
    }
}
